"""Each of Kaggle's answers to a notebook that fails, several causes each, is foreseen."""

import pytest

from common.errors import KitError
from common.kernels_folder import kernels

from .rehearsals import KERNEL, plant

answer = kernels("rehearsal.complaints")
SHORT = 0.0007  # hours, 2.5 s
CHILD = "subprocess.run([sys.executable, '-c', {!r}])"
EAT = "import time; eaten = b'x' * 300_000_000; time.sleep(20)"
FILL = "import os; open('rubbish', 'wb').write(os.urandom(60_000_000))"
REACH = (
    "import socket",
    "try: socket.create_connection(('203.0.113.9', 80), 2)",
    "except OSError: pass",
)
NAME = "try: socket.getaddrinfo('example.org', 80)\nexcept OSError: pass"
SCRIBBLE = "try: open(DATA / 'Test' / '0001.jpg', 'wb').write(b'')\nexcept OSError: pass"

TIMEOUT = {
    "sleeps": (plant("at_start", "time.sleep(60)"), 0, {"hours": SHORT}),
    "slow per image": (plant("per_image", "time.sleep(0.05)"), 100_000, {"hours": 0.1}),
    "hangs in a child": (
        plant("at_start", "import subprocess", CHILD.format("import time; time.sleep(60)")),
        0,
        {"hours": SHORT},
    ),
}
EXCEPTION = {
    "raises": (plant("at_start", "raise ValueError('no checkpoint')"), 0, {}),
    "exits": (plant("at_start", "sys.exit(3)"), 0, {}),
    "is killed": (plant("at_start", "os.kill(os.getpid(), 9)"), 0, {}),
    "imports what no wheel brings": (plant("at_start", "import ensemble_boxes"), 0, {}),
    "imports the kit beside it": (plant("at_start", "import common"), 0, {}),
    "knows the names by heart": (
        plant(
            "per_image", "{'0001.jpg': 1, '0002.jpg': 1, '0003.jpg': 1, '0004.jpg': 1}[image_id]"
        ),
        0,
        {},
    ),
    "stops at a broken file": (
        plant("per_image", "from PIL import Image", "Image.open(DATA / 'Test' / image_id).load()"),
        0,
        {},
    ),
}
MEMORY = {
    "allocates": (plant("at_start", EAT), 0, {"memory_gb": 0.2}),
    "in a child": (
        plant("at_start", "import subprocess", CHILD.format(EAT)),
        0,
        {"memory_gb": 0.2},
    ),
    "in many small children": (
        plant(
            "at_start",
            "import subprocess",
            "code = \"import time; eaten = b'x' * 40_000_000; time.sleep(20)\"",
            "words = [sys.executable, '-c', code]",
            "running = [subprocess.Popen(words) for _ in range(8)]",
            "[process.wait() for process in running]",
        ),
        0,
        {"memory_gb": 0.2},
    ),
    "keeps every image": (
        plant(
            "per_image",
            "kept = globals().setdefault('kept', [])",
            "kept.append(b'x' * 20_000_000)",
            "time.sleep(0.03)",
        ),
        1000,
        {"memory_gb": 5},
    ),
}
DISK = {
    "fills the folder": (plant("at_start", FILL, "time.sleep(20)"), 0, {"working_gb": 0.03}),
    "in a child": (
        plant("at_start", "import subprocess", CHILD.format(FILL), "time.sleep(20)"),
        0,
        {"working_gb": 0.03},
    ),
    "a file per image": (
        plant("per_image", "(WORKING / (image_id + '.npy')).write_bytes(os.urandom(1_000_000))"),
        1000,
        {"working_gb": 0.5},
    ),
}
NOT_FOUND = {
    "writes nothing": (plant("write", "pass"), 0, {}),
    "another name": (plant("write", "(WORKING / 'sub.csv').write_text('Id,Label')"), 0, {}),
    "another folder": (
        plant(
            "write",
            "(WORKING / 'out').mkdir()",
            "(WORKING / 'out' / 'submission.csv').write_text('Id,Label')",
        ),
        0,
        {},
    ),
    "elsewhere": (
        plant("write", "Path(os.environ['TMPDIR'], 'submission.csv').write_text('Id,Label')"),
        0,
        {},
    ),
}
SCORING = {
    "an id is missing": (plant("change", "return rows[1:]"), 0, {}),
    "not a number": (plant("change", "return [*rows[1:], [rows[0][0], float('nan')]]"), 0, {}),
    "wrong columns": (
        plant(
            "write",
            "with open(WORKING / 'submission.csv', 'w', newline='') as file:",
            "    csv.writer(file).writerows([['image', 'Label'], *rows])",
        ),
        0,
        {},
    ),
    "the public names again": (
        plant("change", "return [[f'{n:04d}.jpg', 0.5] for n in range(1, 5)]"),
        0,
        {},
    ),
}
NETWORK = {
    "connects": (plant("at_start", *REACH), 0, {}),
    "asks for a name": (plant("at_start", "import socket", *NAME.split("\n")), 0, {}),
    "in a child": (
        plant("at_start", "import subprocess", CHILD.format("\n".join(REACH))),
        0,
        {},
    ),
}
INPUTS = {
    "overwrites": (plant("at_start", *SCRIBBLE.split("\n")), 0, {}),
    "makes a folder": (
        plant("at_start", "try: (DATA / 'cache').mkdir()", "except OSError: pass"),
        0,
        {},
    ),
    "removes": (
        plant("at_start", "try: (DATA / 'Test' / '0001.jpg').unlink()", "except OSError: pass"),
        0,
        {},
    ),
}
NAMES = ("TIMEOUT", "EXCEPTION", "MEMORY", "DISK", "NOT_FOUND", "SCORING", "NETWORK", "INPUTS")
CAUSES = [
    pytest.param(getattr(answer, name), *cause, id=f"{name}-{what}")
    for name in NAMES
    for what, cause in globals()[name].items()
]


@pytest.mark.parametrize(("expected", "script", "hidden", "limits"), CAUSES)
def test_it_foresees_the_answer_and_no_other(answers, doors, expected, script, hidden, limits):
    found = answers(script, hidden, **limits)
    failed = {name: reason for name, (status, reason) in found.items() if status == "failed"}
    assert list(failed) == [expected], failed


def test_a_healthy_kernel_passes_every_line(answers, doors):
    found = answers(KERNEL)
    assert {status for status, _ in found.values()} == {"passed"}, found


def test_each_line_says_why_it_could_not_be_checked(answers):
    found = answers(plant("at_start", "raise ValueError"))
    not_checked = {name for name, (status, _) in found.items() if status == "not checked"}
    assert not_checked == {
        answer.TIMEOUT,
        answer.MEMORY,
        answer.DISK,
        answer.NOT_FOUND,
        answer.SCORING,
        answer.NETWORK,
        answer.INPUTS,
    }
    assert all("public test set" in found[name][1] for name in not_checked)


def test_memory_that_cannot_be_seen_is_not_called_well(answers, monkeypatch):
    able = kernels("rehearsal.sandbox").Abilities(network=False, mounts=False, memory=False)
    monkeypatch.setattr(kernels("rehearsal.stage").Abilities, "probe", lambda: able)
    assert answers(KERNEL)[answer.MEMORY] == (
        "not checked",
        "this system does not say what its processes take",
    )


def test_internet_is_no_fault_where_it_is_granted(answers, doors):
    script = plant("at_start", *REACH).replace("203.0.113.9", "127.0.0.1")
    assert answers(script, internet=True)[answer.NETWORK][0] == "passed"


def test_without_a_hidden_test_set_the_public_one_is_not_enough(answers, monkeypatch):
    def refuse(*_, **__):
        raise KitError("files have other names")

    monkeypatch.setattr(kernels("rehearsal.stage"), "make_hidden", refuse)
    found = answers(KERNEL)
    assert {status for status, _ in found.values()} == {"not checked"}
    assert "files have other names" in found[answer.SCORING][1]
