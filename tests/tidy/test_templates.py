"""What templates and the style keep: no inline script or style, a token in every form, colours in tokens.

The Content-Security-Policy would stop an inline script or style in the browser; here it is stopped before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

from coverslip.web.assets import Assets

WITHOUT_SESSION = ("/sign-in", "/enrol", "/setup/code")
"""Forms of somebody who has no session yet, and so no token of one; their origin is checked all the same."""
_STATEMENT = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.S)
_HX = re.compile(r"""\s(hx-[a-z:-]+)\s*=\s*("[^"]*"|'[^']*')""", re.S)
_TYPED = re.compile(r"\b(?:title|text|reason|fields|content|value|q|note|comment|username)\b")
"""Names under which templates hold what a person typed."""
_COLOUR = re.compile(
    r"#[0-9a-fA-F]{3,8}\b|\b(?:rgb|rgba|hsl|hsla|hwb|lab|lch|oklab|oklch)\(|:\s*(?:white|black|red|green|blue"
    r"|orange|yellow|gr[ae]y|purple|navy|teal|silver)\b"
)


@pytest.fixture(scope="module")
def templates(root: Path) -> dict[str, str]:
    """Every template by name."""
    folder = root / "src/coverslip/web/templates"
    found = {p.relative_to(folder).as_posix(): p.read_text("utf-8") for p in sorted(folder.rglob("*.html"))}
    assert "_base.html" in found
    return found


@pytest.fixture(scope="module")
def style(root: Path) -> str:
    return (root / "src/coverslip/web/static/coverslip.css").read_text("utf-8")


def parsed(text: str) -> nodes.Template:
    return Environment(autoescape=True).parse(text)


def literals(text: str) -> Iterator[str]:
    """Yield what a template says itself: markup, and texts within its expressions."""
    yield _STATEMENT.sub("§", text)
    for node in parsed(text).find_all(nodes.Const):
        if isinstance(node.value, str):
            yield node.value


# --- the rules -----------------------------------------------------------------------------------------


def inline(text: str) -> list[str]:
    """Scripts and styles that stand in a page itself."""
    found = []
    for part in literals(text):
        found += [f"script: {m[0][:80]}" for m in re.finditer(r"<script\b(?![^>]*\bsrc=)[^>]*>", part, re.I)]
        found += [f"script: {m[1][:80]}" for m in re.finditer(r"<script\b[^>]*>\s*([^<\s][^<]*)", part, re.I)]
        found += [f"style: {m[0]}" for m in re.finditer(r"<style\b", part, re.I)]
        found += [f"style: {m[0]}" for m in re.finditer(r"[\s\"']style\s*=", part, re.I)]
        found += [f"handler: {m[0]}" for m in re.finditer(r"[\s\"'/]on[a-z]{3,}\s*=", part, re.I)]
        found += [f"script: {m[0]}" for m in re.finditer(r"javascript:|vbscript:|srcdoc\s*=", part, re.I)]
    return found


def scripted_hx(text: str) -> list[str]:
    """Attributes of htmx that hold code, or what a person typed."""
    found = [m[0].strip() for m in re.finditer(r"\bhx-on\b[^\s>]*", text)]
    for name, value in _HX.findall(text):
        if re.search(r"\bjs:|\bjavascript:|\beval\b", value):
            found.append(f"{name}={value}")
        for said in re.findall(r"\{\{(.*?)\}\}", value, re.S):
            fixed = re.sub(r"'[^']*'|\"[^\"]*\"", "", said)
            if name in ("hx-vals", "hx-headers", "hx-trigger", "hx-config") or _TYPED.search(fixed):
                found.append(f"{name}={value}")
    return found


def unescaped(text: str) -> list[str]:
    """Places where markup is taken from anything but the template itself."""
    tree = parsed(text)
    found = [
        f"line {node.lineno}: | safe"
        for node in tree.find_all(nodes.Filter)
        if node.name == "safe" and not _constant(node.node) and not _drawn(node.node)
    ]
    found += [f"line {node.lineno}: autoescape" for node in tree.find_all(nodes.ScopedEvalContextModifier)]
    found += [f"unquoted: {m[0]}" for m in re.finditer(r"\s[a-z-]+=\{\{.*?\}\}", _markup(text))]
    return found


def _markup(text: str) -> str:
    """Return a template without statements; within a call of a macro ``name={{`` cannot stand anyway."""
    return re.sub(r"\{#.*?#\}|\{%.*?%\}", "", text, flags=re.S)


def _drawn(node: nodes.Node | None) -> bool:
    """Whether it is the code to be scanned that the server drew for a one-time password."""
    return (
        isinstance(node, nodes.Getattr)
        and node.attr == "svg"
        and isinstance(node.node, nodes.Name)
        and node.node.name == "begun"
    )


def _constant(node: nodes.Node | None) -> bool:
    if isinstance(node, nodes.CondExpr):
        return _constant(node.expr1) and (node.expr2 is None or _constant(node.expr2))
    return isinstance(node, nodes.Const)


def forms_without_token(text: str) -> list[str]:
    """Forms that write and carry no token of their session."""
    found = []
    for form in re.finditer(r"<form\b(.*?)>(.*?)(?=</form>|<form\b|\Z)", text, re.S | re.I):
        head = _STATEMENT.sub("§", form[1])
        posts = re.search(r"""method\s*=\s*["']?post""", head, re.I)
        action = re.search(r"""action\s*=\s*["']([^"']*)""", head)
        token = re.search(r"csrf_field\(\)|name=\"csrf\"", form[0])
        if posts and not token and not (action and action[1] in WITHOUT_SESSION):
            found.append(form[0][:100])
        if token and not posts:
            found.append(f"the token would stand in the address: {form[0][:100]}")
    found += re.findall(r"\bhx-(?:delete|put|patch)\b", text)
    return found


def loose_colours(style: str) -> list[str]:
    """Colours that stand outside the layer of tokens."""
    rest = re.sub(r"/\*.*?\*/", "", _without_layer(style, "tokens"), flags=re.S)
    return [m[0] for line in rest.splitlines() for m in _COLOUR.finditer(_without_addresses(line))]


def _without_addresses(line: str) -> str:
    return re.sub(r"url\([^)]*\)|\[[^\]]*\]", "", line)


def _without_layer(style: str, name: str) -> str:
    start = re.search(rf"@layer\s+{name}\s*\{{", style)
    assert start, f"the style has no layer {name}"
    depth, at = 1, start.end()
    while depth:
        depth += {"{": 1, "}": -1}.get(style[at], 0)
        at += 1
    return style[: start.start()] + style[at:]


def called(tree: nodes.Template, name: str) -> Iterator[nodes.Call]:
    """Yield calls of a macro, by its name or through an import."""
    for call in tree.find_all(nodes.Call):
        if getattr(call.node, "name", "") == name or getattr(call.node, "attr", "") == name:
            yield call


def texts(node: nodes.Node | None) -> Iterator[str]:
    """Yield what an expression may be, as far as the template says it itself."""
    match node:
        case nodes.Const():
            if isinstance(node.value, str):
                yield node.value
        case nodes.CondExpr():
            yield from texts(node.expr1)
            yield from texts(node.expr2)
        case nodes.Getitem():
            yield from texts(node.node)
        case nodes.Dict():
            for pair in node.items:
                yield from texts(pair.value)
        case nodes.Or() | nodes.And():
            yield from texts(node.left)
            yield from texts(node.right)


def icons_of(templates: dict[str, str]) -> set[str]:
    """Return the icons that templates name: given to the macro ``i``, or to one that hands them on to it."""
    trees = [parsed(text) for text in templates.values()]
    takers = {("i", 0)}
    for tree in trees:
        for macro in tree.find_all(nodes.Macro):
            names = [argument.name for argument in macro.args]
            for call in called(macro, "i"):  # type: ignore[arg-type]
                given = call.args[0] if call.args else None
                if isinstance(given, nodes.Name) and given.name in names:
                    takers.add((macro.name, names.index(given.name)))
    return {
        text
        for tree in trees
        for name, at in takers
        for call in called(tree, name)
        if len(call.args) > at
        for text in texts(call.args[at])
    }


# --- the project ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [inline, scripted_hx, unescaped, forms_without_token])
def test_every_template_keeps_the_rule(templates: dict[str, str], rule: Callable[[str], list[str]]) -> None:
    assert {name: rule(text) for name, text in templates.items() if rule(text)} == {}


WITHOUT_PASSKEY = {
    "enrol.html": "nobody has a passkey before they have enrolled",
    "setup_policy.html": "founders sign here, before there is an installation that knows a passkey",
}


def without_passkey(name: str, text: str) -> bool:
    """Whether a page asks for a password and takes no passkey in its place."""
    asks = re.search(r"type=\"password\"", text) and name not in WITHOUT_PASSKEY
    return bool(asks) and not re.search(r"data-passkey-(?:answer|prove)=", text)


def ceremonies(text: str) -> list[str]:
    """Calls of the ceremony that name no address where a passkey's statement is prepared."""
    found = []
    for call in called(parsed(text), "ceremony"):
        named = {one.key: one.value for one in call.kwargs}
        series = isinstance(named.get("series"), nodes.Const) and "data-sign-passkey" in text
        if "prepare" not in named and not series:
            found.append(f"line {call.lineno}")
    return found


def test_whatever_asks_for_a_password_takes_a_passkey(templates: dict[str, str]) -> None:
    assert [name for name, text in templates.items() if without_passkey(name, text)] == []
    signing = {name: ceremonies(text) for name, text in templates.items()}
    assert {name for name, text in templates.items() if any(called(parsed(text), "ceremony"))} == {
        "record_act.html",
        "record_new.html",
        "series.html",
    }
    assert {name: lines for name, lines in signing.items() if lines} == {}


def test_a_page_without_passkey_would_be_seen() -> None:
    assert without_passkey("x.html", '<input type="password">')
    assert not without_passkey("x.html", '<input type="password"><button data-passkey-answer="/y">')
    assert ceremonies("{{ f.ceremony(signature, visit) }}")
    assert ceremonies("{{ f.ceremony(signature, visit, series=True) }}")


def test_colours_stand_in_tokens_only(style: str) -> None:
    assert loose_colours(style) == []


def test_the_style_loads_from_this_origin_only(style: str) -> None:
    assert re.findall(r"@import|url\(\s*[\"']?(?:[a-z]+:|//)", style) == []


def test_every_asset_exists(templates: dict[str, str]) -> None:
    named = {
        t for text in templates.values() for c in called(parsed(text), "asset") for t in texts(c.args[0])
    }
    assert named
    assert named - Assets().names() == set()


def test_every_font_of_the_style_exists(root: Path, style: str) -> None:
    named = set(re.findall(r"url\(\"?([^\")]+)", style))
    assert {name for name in named if not (root / "src/coverslip/web/static" / name).is_file()} == set()


def test_every_icon_is_in_the_sprite(root: Path, templates: dict[str, str]) -> None:
    listed = set((root / "src/coverslip/web/icons.txt").read_text("utf-8").split())
    assert {"search", "signature"} <= icons_of(templates)
    assert icons_of(templates) - listed == set()


def test_icons_of_the_menu_and_of_badges_are_in_the_sprite(root: Path) -> None:
    from coverslip.web import badges, navigation

    listed = set((root / "src/coverslip/web/icons.txt").read_text("utf-8").split())
    used = set(badges.ICONS.values()) | {item[0] for _, items in navigation._FIXED for item in items}
    assert used - listed == set()


def test_pages_are_made_by_templates_only(root: Path) -> None:
    made = re.compile(r"\b(?:Markup|HTMLResponse)\(")
    found = [
        path.name
        for path in (root / "src/coverslip/web").rglob("*.py")
        if made.search(path.read_text("utf-8"))
    ]
    # The manual is Markdown that ships with the build; nothing a person typed is in it.
    assert set(found) <= {"templating.py", "help.py"}


# --- that a breach would be seen -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (inline, "<script>go()</script>"),
        (inline, '<script src="/a.js">go()</script>'),
        (inline, '<p style="color:red">'),
        (inline, "<style>p{}</style>"),
        (inline, '<a href="/" onclick="go()">'),
        (inline, "{{ ' onfocus=go()' | safe if error }}"),
        (inline, '<a href="javascript:go()">'),
        (inline, '<iframe srcdoc="x">'),
        (scripted_hx, '<p hx-on:click="go()">'),
        (scripted_hx, "<p hx-vals='js:{a: 1}'>"),
        (scripted_hx, '<p hx-get="/search?q={{ row.title }}">'),
        (scripted_hx, """<p hx-vals='{"a": "{{ a }}"}'>"""),
        (unescaped, "{{ row.title | safe }}"),
        (unescaped, "{% autoescape false %}{{ row.title }}{% endautoescape %}"),
        (unescaped, "<p title={{ row.title }}>"),
        (forms_without_token, '<form method="post" action="/x"><button>Do</button></form>'),
        (forms_without_token, '<form method="post"></form><form method="post">{{ m.csrf_field() }}</form>'),
        (forms_without_token, '<form action="/x">{{ m.csrf_field() }}</form>'),
        (forms_without_token, '<button hx-delete="/x">'),
        (loose_colours, "@layer tokens { a { color: #fff } } @layer base { a { color: #fff } }"),
        (loose_colours, "@layer tokens { } p { background: rgb(0 0 0) }"),
        (loose_colours, "@layer tokens { } p { color: white }"),
    ],
)
def test_a_breach_would_be_seen(rule: Callable[[str], list[str]], text: str) -> None:
    assert rule(text)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (inline, "<script src=\"{{ asset('htmx.min.js') }}\" defer></script>"),
        (inline, '{% set once = 1 %}<p class="style">{{ \' aria-invalid="true"\' | safe if error }}</p>'),
        (scripted_hx, '<form hx-get="/types/{{ definition.name }}" hx-trigger="change delay:1s">'),
        (forms_without_token, '<form method="get" action="/search"></form>'),
        (forms_without_token, '<form action="/sign-in" method="post"></form>'),
        (loose_colours, "@layer tokens { a { --x: #fff } } a { color: var(--x); background: url(#fff) }"),
    ],
)
def test_what_keeps_the_rule_passes(rule: Callable[[str], list[str]], text: str) -> None:
    assert rule(text) == []


def test_icons_are_found_wherever_they_are_named() -> None:
    given = {
        "_m": "{% macro i(name) %}{% endmacro %}{% macro note(kind, icon) %}{{ i(icon) }}{% endmacro %}",
        "p": '{{ i("a") }}{{ m.i({"x": "b"}[k]) }}{{ m.note("k", "c") }}',
        "q": '{{ i("d" if x == "no" else "e", "cls") }}',
    }
    assert icons_of(given) == {"a", "b", "c", "d", "e"}
