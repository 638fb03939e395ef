"""Nobody takes the next number of a regulated document by trying something out, nor the other way round."""

from __future__ import annotations

from fix_lab import Lab, refused


def test_a_sandbox_makes_no_next_version_of_a_regulated_method(lab: Lab) -> None:
    method = lab.n["method"].split()[0]
    before = lab.row(method)
    study = lab.new_study("sandbox")
    with refused("SEQ_PRE") as caught:
        lab.alan.create("analysis_method", next_of=method, **(_typed(lab, method) | {"study": study}))
    assert "both regulated" in caught[0].message
    assert (lab.row(method).revision, lab.row(method).version) == (before.revision, before.version)
    assert lab.reading.find(method, before.revision + 1) is None
    assert any(d["code"] == "SEQ_PRE" for d in lab.refusals())


def test_a_regulated_version_does_not_follow_one_of_a_sandbox(lab: Lab) -> None:
    method = lab.n["method"].split()[0]
    study = lab.new_study("sandbox")
    tried = lab.alan.create("analysis_method", **(_typed(lab, method) | {"study": study}))
    for act in ("submit", "approve"):
        lab.alan.do(tried, act)
    assert lab.row(tried).state == "effective"
    with refused("SEQ_PRE"):
        lab.alan.create("analysis_method", next_of=tried, **_typed(lab, method))
    again = lab.alan.create("analysis_method", next_of=tried, **(_typed(lab, method) | {"study": study}))
    assert again == tried
    assert lab.row(tried, 2).content["sandbox"] is True


def test_an_administrator_does_not_take_over_a_method_through_a_sandbox(lab: Lab) -> None:
    method = lab.n["method"].split()[0]
    study = lab.new_study("sandbox")
    with refused("SEQ_PRE"):
        lab.ada.create("analysis_method", next_of=method, **(_typed(lab, method) | {"study": study}))


def _typed(lab: Lab, method: str) -> dict[str, object]:
    """Return the fields of a method as a person gives them: links by number."""
    found: dict[str, object] = {}
    for name, value in lab.row(method).fields.items():
        is_link = isinstance(value, dict) and "number" in value
        found[name] = f"{value['number']} v{value.get('revision', 1)}" if is_link else value
    return found
