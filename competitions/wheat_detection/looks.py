"""How the fields of each source look in the demo; colours are RGB, lengths pixels of 1024."""

from dataclasses import dataclass

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Look:
    """What the pictures of one source have in common."""

    share: float  # of the pictures with wheat; uneven, as in the competition
    heads: tuple[int, int]  # per picture, fewest and most
    length: tuple[int, int]  # of a head that lies flat
    plump: float  # width of a head / its length
    awns: float  # length of the bristles / that of the head; 0: none
    head: Colour
    ripe: Colour  # of heads when ripe
    leaf: Colour
    dry: Colour  # of leaves when ripe
    ripeness: tuple[float, float]  # 0 green, 1 ripe
    leaves: int  # per layer
    soil: Colour
    rows: bool  # sown in rows between which soil shows
    sun: tuple[float, float]  # how deep shadows are, 0 overcast to 1
    blur: tuple[float, float]  # sigma of the camera's
    exposure: tuple[float, float]  # brightness of the whole picture


LOOKS = {
    "arvalis_1": Look(
        share=0.34,
        heads=(18, 34),
        length=(105, 165),
        plump=0.31,
        awns=0.0,
        head=(150, 172, 112),
        ripe=(196, 178, 118),
        leaf=(72, 112, 62),
        dry=(150, 140, 84),
        ripeness=(0.0, 0.5),
        leaves=85,
        soil=(84, 70, 56),
        rows=False,
        sun=(0.2, 0.6),
        blur=(0.7, 1.2),
        exposure=(0.95, 1.2),
    ),
    "ethz_1": Look(
        share=0.27,
        heads=(28, 46),
        length=(95, 140),
        plump=0.29,
        awns=0.0,
        head=(168, 168, 104),
        ripe=(208, 178, 112),
        leaf=(92, 116, 56),
        dry=(168, 144, 84),
        ripeness=(0.35, 1.0),
        leaves=125,
        soil=(92, 76, 58),
        rows=False,
        sun=(0.5, 0.9),
        blur=(0.7, 1.1),
        exposure=(0.95, 1.2),
    ),
    "rres_1": Look(
        share=0.18,
        heads=(20, 40),
        length=(95, 150),
        plump=0.31,
        awns=0.0,
        head=(140, 156, 118),
        ripe=(176, 160, 118),
        leaf=(78, 106, 82),
        dry=(136, 128, 92),
        ripeness=(0.0, 0.7),
        leaves=95,
        soil=(74, 64, 56),
        rows=False,
        sun=(0.0, 0.3),
        blur=(0.8, 1.6),
        exposure=(0.85, 1.15),
    ),
    "usask_1": Look(
        share=0.11,
        heads=(12, 24),
        length=(95, 145),
        plump=0.34,
        awns=1.1,
        head=(164, 176, 106),
        ripe=(214, 186, 116),
        leaf=(96, 128, 66),
        dry=(176, 154, 96),
        ripeness=(0.2, 0.9),
        leaves=48,
        soil=(116, 96, 76),
        rows=True,
        sun=(0.6, 1.0),
        blur=(0.7, 1.3),
        exposure=(0.95, 1.2),
    ),
    "inrae_1": Look(
        share=0.10,
        heads=(14, 28),
        length=(100, 155),
        plump=0.3,
        awns=0.8,
        head=(146, 176, 122),
        ripe=(190, 180, 120),
        leaf=(78, 112, 72),
        dry=(120, 132, 80),
        ripeness=(0.0, 0.35),
        leaves=65,
        soil=(110, 88, 66),
        rows=True,
        sun=(0.4, 1.0),
        blur=(0.7, 1.2),
        exposure=(0.9, 1.2),
    ),
}
