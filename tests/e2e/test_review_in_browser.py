"""A case reviewed in a real browser: opened item by item, answered, and told when something arrives."""

from __future__ import annotations

from fix_browser import Browse, accessible, expecting, shot
from fix_lab import Lab, refused


def _begun(lab: Lab) -> tuple[str, str]:
    run, case = lab.new_review()
    with refused("AUTH_ROLE"):
        lab.nora.do(run, "abort", why="I would like it to be gone.")
    lab.rita.do(case, "start")
    return run, case


def test_a_reviewer_opens_answers_and_moves_by_keys_on_one_screen(lab: Lab, browse: Browse) -> None:
    _, case = _begun(lab)
    page = browse("rita")
    page.goto("/review")
    page.get_by_role("link", name=case).click()
    accessible(page)
    shot(page, "review")
    page.keyboard.press("j")
    first = page.evaluate("() => document.activeElement.textContent")
    page.keyboard.press("j")
    assert page.evaluate("() => document.activeElement.textContent") != first
    page.keyboard.press("k")
    assert page.evaluate("() => document.activeElement.textContent") == first
    warned = page.locator(".ex", has_text="Refused: AUTH_ROLE")
    warned.locator("a[data-row]").click()
    warned.get_by_text("Entered as opened by you").wait_for()
    page.locator("#coverage progress.ok").wait_for()
    shot(page, "review-opened")
    accessible(page)
    warned.get_by_placeholder("Explained: why, in your own words").fill(
        "She has no role; nothing came of it."
    )
    warned.get_by_role("button", name="Record answer").click()
    page.get_by_text("Answer: “She has no role; nothing came of it.”").wait_for()
    assert lab.workspace().show(lab.row(case), lab.rita.context)["coverage"]["unopened"] == []


def test_everything_works_without_scripts(lab: Lab, browse: Browse) -> None:
    _, case = _begun(lab)
    page = browse("rita", java_script_enabled=False)
    page.goto(f"/review/{case}")
    page.locator(".ex", has_text="Refused: AUTH_ROLE").locator("a[data-row]").click()
    page.get_by_placeholder("Explained: why, in your own words").fill("She has no role.")
    page.get_by_role("button", name="Record answer").click()
    page.get_by_text("Answer: “She has no role.”").wait_for()
    page.get_by_role("link", name="Open the whole trail").click()
    page.get_by_text("Audit trail: 1 of 1 page opened").wait_for()


def test_the_page_says_that_something_arrived(lab: Lab, browse: Browse) -> None:
    run, case = _begun(lab)
    page = browse("rita")
    page.goto(f"/review/{case}")
    assert page.get_by_text("New entries arrived").count() == 0
    lab.alan.create("comment", subject=run, text="Look at the third field again, please.")
    page.get_by_text("New entries arrived after this page was sent").wait_for(timeout=20_000)
    page.get_by_role("link", name="Show new entries").click()
    page.get_by_text("A signature now would be refused as stale").wait_for()
    shot(page, "review-stale")


def test_a_run_shows_graph_and_table(lab: Lab, browse: Browse) -> None:
    run, _ = _begun(lab)
    page = browse("alan")
    page.goto(f"/runs/{run}")
    accessible(page)
    shot(page, "run")
    page.get_by_role("link", name="Table").click()
    page.get_by_role("columnheader", name="Stands on").wait_for()
    accessible(page)
    shot(page, "run-table")


def test_a_signing_over_what_was_not_opened_is_refused_with_what_is_missing(lab: Lab, browse: Browse) -> None:
    _, case = _begun(lab)
    page = browse("rita")
    expecting(page, r"answer 409: GET .*/do/technical")
    page.goto(f"/r/{case}/do/technical")
    page.get_by_text("every flagged image were opened by you").first.wait_for()
    shot(page, "review-refused")
