"""What no description can say: which ids there are, that a key is for one request, and that tags and
cursors were given out."""

import json
import pathlib
import random
import uuid

import schemathesis
from schemathesis.generation import GenerationMode

# Legal values by path, place and name, beside this file.
VALUES = json.loads(pathlib.Path(__file__).with_name("values.json").read_text())
# As the document has it.
EXAMPLE_TAG = '"4"'

dice = random.Random(6)


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    if case.headers and "Idempotency-Key" in case.headers:
        drawn = case.headers["Idempotency-Key"]
        case.headers["Idempotency-Key"] = (drawn + str(uuid.uuid4()))[-255:]
    phase = case.meta.phase.name.value
    # Unknown ones, too: of ten, one stays as it was drawn.
    if phase != "stateful" and dice.random() < 0.9:
        use_values(case)
    if phase == "coverage":
        # One legal value after another, beside examples of all the others.
        if case.headers and case.headers.get("If-Match") == EXAMPLE_TAG:
            del case.headers["If-Match"]
        if case.query:
            case.query.pop("cursor", None)


def use_values(case):
    sent = {"path": case.path_parameters, "query": case.query, "header": case.headers}
    for place, parameters in VALUES.get(case.path, {}).items():
        for name, values in parameters.items():
            if sent[place] and name in sent[place]:
                sent[place][name] = dice.choice(values)
