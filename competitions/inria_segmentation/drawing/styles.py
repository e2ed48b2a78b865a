"""What tells one city from another."""

from dataclasses import dataclass, replace

from competitions.inria_segmentation.drawing.scene import Colour

Range = tuple[float, float]
SLATE, ASPHALT, SHINGLE = (92, 94, 100), (120, 118, 116), (142, 128, 114)
TERRACOTTA, RUST, BROWN = (166, 98, 74), (140, 84, 66), (108, 84, 70)
WHITE, GRAVEL, TAN = (214, 214, 210), (150, 146, 138), (176, 160, 138)
MOSS, TIN = (116, 122, 92), (158, 166, 170)


@dataclass(frozen=True)
class Style:
    """How a city looks; lengths in metres, colours 0..255, shares 0..1."""

    quarters: dict[str, float]  # kind of block -> share
    angle: float  # degrees, of the streets
    bend: float  # how far a street swings
    strip: Range  # from street to street
    block: Range  # from side street to side street
    street: float  # half its width
    pavement: float  # width beside it
    lot: Range  # width
    setback: Range  # from the pavement to the house
    length: Range  # of a house
    width: Range
    storeys: Range  # of 3 m
    pitch: Range  # rise per length
    kinds: dict[str, float]  # roof -> share
    roofs: tuple[Colour, ...]
    sun: Range  # degrees: azimuth from the picture's right, clockwise; elevation
    grass: Colour
    earth: Colour
    dryness: float  # share of ground that is not green
    leaves: tuple[Colour, ...]
    trees: float  # per lot
    crown: Range  # radius
    conifers: float = 0.1
    facing: float = 0.8  # share of houses whose ridge runs along the street
    pools: float = 0.0  # per lot
    haze: float = 0.05


AUSTIN = Style(
    quarters={"houses": 0.8, "yard": 0.12, "park": 0.08},
    angle=24,
    bend=9,
    strip=(72, 84),
    block=(95, 150),
    street=4.4,
    pavement=1.6,
    lot=(18, 25),
    setback=(6, 9),
    length=(14, 22),
    width=(10, 13),
    storeys=(1, 1.8),
    pitch=(0.35, 0.6),
    kinds={"hip": 0.6, "gable": 0.35, "flat": 0.05},
    roofs=(SHINGLE, ASPHALT, SLATE, BROWN, TAN, GRAVEL, SHINGLE),
    sun=(48, 56),
    grass=(112, 122, 78),
    earth=(164, 148, 116),
    dryness=0.45,
    leaves=((58, 76, 44), (66, 84, 46), (74, 84, 56)),
    trees=2.6,
    crown=(2.0, 4.8),
    pools=0.12,
)
CHICAGO = Style(
    quarters={"houses": 0.82, "yard": 0.1, "park": 0.08},
    angle=0.6,
    bend=0,
    strip=(80, 84),
    block=(120, 180),
    street=5.0,
    pavement=2.4,
    lot=(8.6, 10.5),
    setback=(4.5, 6),
    length=(14, 20),
    width=(6.6, 7.8),
    storeys=(1.6, 3.2),
    pitch=(0.4, 0.8),
    kinds={"flat": 0.48, "gable": 0.4, "hip": 0.12},
    roofs=(SLATE, ASPHALT, GRAVEL, (82, 82, 84), BROWN, WHITE, TIN, ASPHALT),
    sun=(62, 50),
    grass=(92, 116, 70),
    earth=(142, 134, 120),
    dryness=0.25,
    leaves=((54, 80, 46), (64, 90, 50), (76, 96, 56)),
    trees=0.9,
    crown=(2.0, 4.6),
    conifers=0.03,
    facing=0.04,
    haze=0.07,
)
TYROL = Style(
    quarters={"houses": 0.8, "field": 0.16, "yard": 0.04},
    angle=-38,
    bend=15,
    strip=(76, 100),
    block=(90, 160),
    street=2.9,
    pavement=0.4,
    lot=(22, 32),
    setback=(4, 10),
    length=(12, 19),
    width=(10, 14),
    storeys=(1.6, 2.8),
    pitch=(0.3, 0.5),
    kinds={"gable": 0.84, "hip": 0.1, "flat": 0.06},
    roofs=(RUST, BROWN, TERRACOTTA, SLATE, (130, 112, 98), GRAVEL, TIN, MOSS),
    sun=(70, 44),
    grass=(100, 126, 74),
    earth=(150, 134, 104),
    dryness=0.12,
    leaves=((48, 72, 38), (62, 92, 44), (40, 60, 40)),
    trees=2.8,
    crown=(1.7, 4.0),
    conifers=0.45,
    facing=0.5,
    haze=0.03,
)
VIENNA = Style(
    quarters={"ring": 0.78, "park": 0.12, "yard": 0.1},
    angle=33,
    bend=3,
    strip=(66, 86),
    block=(64, 105),
    street=4.6,
    pavement=3.0,
    lot=(15, 26),
    setback=(0, 0),
    length=(15, 26),
    width=(11, 14),
    storeys=(4, 6.2),
    pitch=(0.45, 0.75),
    kinds={"gable": 0.86, "flat": 0.14},
    roofs=(TERRACOTTA, RUST, BROWN, SLATE, (124, 100, 88), ASPHALT, TIN, (150, 92, 74)),
    sun=(74, 54),
    grass=(92, 108, 68),
    earth=(152, 146, 134),
    dryness=0.5,
    leaves=((56, 76, 46), (68, 88, 50)),
    trees=1.2,
    crown=(1.8, 4.2),
    conifers=0.04,
    haze=0.06,
)
TRAIN = {"austin": AUSTIN, "chicago": CHICAGO, "tyrol-w": TYROL, "vienna": VIENNA}
TEST = {
    "bellingham": replace(
        AUSTIN,
        angle=3,
        bend=4,
        conifers=0.5,
        dryness=0.15,
        trees=2.0,
        sun=(80, 48),
        roofs=(SLATE, BROWN, ASPHALT, MOSS, SHINGLE),
        grass=(96, 122, 76),
        pools=0.0,
    ),
    "innsbruck": replace(
        VIENNA,
        quarters={"ring": 0.4, "houses": 0.45, "park": 0.15},
        angle=-20,
        bend=8,
        lot=(20, 26),
        setback=(3, 6),
        sun=(60, 46),
        storeys=(3, 4.5),
        grass=(96, 126, 68),
    ),
    "sfo": replace(
        CHICAGO,
        angle=9,
        storeys=(2, 3.4),
        roofs=(WHITE, GRAVEL, TAN, TIN, ASPHALT, SLATE),
        lot=(7.8, 9),
        width=(7, 7.8),
        kinds={"flat": 0.75, "gable": 0.25},
        sun=(35, 58),
        trees=0.5,
        dryness=0.5,
    ),
}
