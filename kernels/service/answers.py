"""What Kaggle answers when something is wrong, and what a person can do about it: all in one table.

Rules are tried from top to bottom. Words are searched in the text of the answer, in any case.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from common.errors import KitError

UNREACHABLE = 0  # in place of an HTTP status: there was no answer
SITE = "https://www.kaggle.com"
TOKEN = (
    f"make an API token at {SITE}/settings and put it into ~/.kaggle/access_token or "
    "KAGGLE_API_TOKEN, or its kaggle.json into ~/.kaggle/"
)
RULES = "open {site}/competitions/{name}/rules, accept the rules, then run this again"
TAKEN = "it may have been taken all the same: first see {site}/competitions/{name}/submissions"
LIMIT = "no attempt is left today: wait until midnight UTC, or see the competition's limits"


@dataclass(frozen=True)
class Doing:
    """What was asked of Kaggle."""

    what: str  # reads after "expected to", such as "push the kernel me/trash"
    kind: str = ""  # competition, submission, dataset or kernel
    name: str = ""  # of it


@dataclass(frozen=True)
class Rule:
    """An answer and its remedy; what is left empty fits all."""

    statuses: Sequence[int]
    kinds: str
    words: str  # regular expression
    remedy: str


class Refused(KitError):
    """Kaggle answered no; `status` is that of HTTP, 0 without an answer."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


FAILING = range(500, 600)
HTTP = (
    Rule([401], "", "", TOKEN),
    Rule([403], "", "phone|verif", f"verify your account at {SITE}/settings (phone number)"),
    Rule([403], "competition submission", "", RULES),
    Rule([403, 404], "", "rules", RULES),
    Rule([403], "", "", "pack with the --owner that the token belongs to, or use his token"),
    Rule([404], "competition submission", "", "correct slug in config.py, its name in the address"),
    Rule([404], "kernel", "", "pack and push it first: kit kernel pack, kit kernel push"),
    Rule([404], "", "", "correct the name, or make it public to yourself"),
    Rule([400, 403, 409, 429], "submission", r"limit|exceed|per day|remaining|maximum", LIMIT),
    Rule([400], "submission", "deadline|closed|ended|late", "it takes no submissions any more"),
    Rule([400], "submission", "notebook|kernel|code", "push a kernel and submit without --file"),
    Rule([409], "", "", "choose another name: it is in use"),
    Rule([413], "", "", "make it smaller: fewer or half-precision checkpoints"),
    Rule([429], "", "", "wait some minutes, then run this again"),
    Rule([UNREACHABLE, *FAILING], "submission", "", TAKEN),
    Rule(FAILING, "", "", "that is Kaggle's side: run this again later"),
    Rule([UNREACHABLE], "", "", "check the network, HTTPS_PROXY and the date of this machine"),
    Rule([], "", "", "correct what Kaggle names, then run this again"),
)
SAVING = (  # of a kernel or data set that Kaggle answers with "ok" and an error inside
    Rule([], "", "quota", f"wait for next week's hours ({SITE}/settings), or pack without a GPU"),
    Rule([], "", "sessions|concurren", f"stop a running one at {SITE}/code, then push again"),
    Rule([], "", "phone|verif", f"verify your account at {SITE}/settings (phone number)"),
    Rule([], "", "title|slug|in use", "choose another name: it is in use"),
    Rule([], "", "", "correct what Kaggle names, pack and push again"),
)
SCORING = (  # of a submission that Kaggle took and could not score
    Rule([], "", "scoring", "ids, rows or values do not fit the hidden test set: kit check "
         "--submission FILE, and kit kernel rehearse with more hidden images"),
    Rule([], "", "not found|no submission|missing", "the kernel wrote no file of that name: "
         "compare SUBMISSION in data.py with the competition's rules"),
    Rule([], "", "format|column|csv", "mend the columns: kit check --submission FILE"),
    Rule([], "", "time.?out|time limit", "lower predict.time_limit or views: kit kernel rehearse"),
    Rule([], "", "compute|memory", "the hidden set needs more memory: smaller predict batches or "
         "tiles; kit kernel rehearse measures it"),
    Rule([], "", "exception|threw", "it fails on hidden images only: kit kernel rehearse, with "
         "broken and unusual ones"),
    Rule([], "", "", "see the submission's page on Kaggle"),
)  # fmt: skip
RUNNING = (  # the log of a run that failed
    Rule([], "", "CUDA out of memory|OutOfMemoryError", "the GPU's memory is too small: lower "
         "data.img_size, train.batch_size or the views of predict.tta"),
    Rule([], "", "allocate more memory|Killed|SIGKILL|exit code 137", "the machine's memory is "
         "too small: lower data.num_workers, batches or tiles"),
    Rule([], "", r"No space left|disk", "/kaggle/working is full: keep fewer checkpoints"),
    Rule([], "", r"ModuleNotFoundError|No matching distribution", "the image lacks a package: "
         "add it to kernels/wheels.txt and pack again"),
    Rule([], "", r"FileNotFoundError|/kaggle/input", "an input is not attached where it was "
         "looked for: accept the competition's rules and look at the kernel's inputs"),
    Rule([], "", r"time.?limit|timed? ?out|maximum.*(time|duration)", "it ran out of time: lower "
         "train.time_limit or predict.time_limit"),
    Rule([], "", "cancel", "someone cancelled it; push again to run it once more"),
    Rule([], "", "no kernel image|CUDA error", "the GPU does not fit the image: push again, or "
         "pack with kernel.gpu=false"),
    Rule([], "", r"KitError|error: expected", "the last line of the log says what to do"),
    Rule([], "", "", "read the log's end above; kit kernel rehearse runs the same kernel here"),
)  # fmt: skip


def remedy_of(rules: Sequence[Rule], text: str, status: int = 0, doing: Doing | None = None) -> str:
    """Return the remedy of the first rule that fits; the last one fits all."""
    asked = doing or Doing("")
    for rule in rules:
        fits = not rule.statuses or status in rule.statuses
        fits = fits and (not rule.kinds or asked.kind in rule.kinds.split())
        if fits and re.search(rule.words, text, re.IGNORECASE):
            return rule.remedy.format(site=SITE, name=asked.name)
    return rules[-1].remedy


def explain(doing: Doing, status: int, text: str) -> Refused:
    """Return the error of an answer that says no, or of none: expected, got, remedy."""
    said = " ".join(text.split())[:300].rstrip(".") or "no reason"
    got = f"{said} (HTTP {status})" if status else said
    remedy = remedy_of(HTTP, text, status, doing)
    return Refused(f"expected to {doing.what}, got: {got}; {remedy}", status)


def refusal(doing: Doing, text: str, rules: Sequence[Rule] = SAVING) -> KitError:
    """Return the error that lies within an answer that is formally fine."""
    got = text.strip().rstrip(".")
    return KitError(f"expected to {doing.what}, got: {got}; {remedy_of(rules, text)}")
