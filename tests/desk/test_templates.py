"""desk.templates: plain data in, plain text out, and nothing else (invariant 16)."""

from __future__ import annotations

import pytest

from desk.errors import Invalid
from desk.model import Priority, Status
from desk.templates import expand

DATA = {
    "agent": {"name": "kim"},
    "ticket": {"id": 12, "status": Status.ON_HOLD, "priority": Priority.URGENT, "tags": ["vpn", "hot"]},
}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("plain { text", "plain { text"),
        ("Hello {{ agent.name }}", "Hello kim"),
        ("{{ agent.name|upper }} #{{ ticket.id }}", "KIM #12"),
        ("{{ ticket.status }}, {{ ticket.priority }}", "on-hold, urgent"),
        ("{{ agent.title|default('agent') }}", "agent"),
        ("{% if 'vpn' in ticket.tags %}tunnel{% endif %}", "tunnel"),
        ("{% for tag in ticket.tags %}[{{ tag }}]{% endfor %}", "[vpn][hot]"),
        ("<b>{{ agent.name }}</b> & co", "<b>kim</b> & co"),
    ],
)
def test_placeholders_are_filled_in(template: str, text: str) -> None:
    assert expand(template, DATA) == text


@pytest.mark.parametrize(
    "template",
    [
        "{{ customer.name }}",
        "{{ agent.nmae }}",
        "{{ agent.__class__ }}",
        "{{ agent['__class__'].__mro__ }}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{% include '/etc/passwd' %}",
        "{% import 'os' as os %}",
        "{% extends '/etc/passwd' %}",
        "{{ open('/etc/passwd') }}",
        "{% for i in range(10000) %}{% for j in range(10000) %}x{% endfor %}{% endfor %}",
        "{{ range(100000000)|list }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{{ agent.name ",
    ],
)
def test_what_is_missing_forbidden_or_endless_is_an_error_before_anything_is_sent(template: str) -> None:
    with pytest.raises(Invalid):
        expand(template, DATA)


def test_text_that_is_put_in_is_never_expanded_again() -> None:
    assert expand("{{ said }}", {"said": "{{ agent.name }} {% include 'x' %}"}) == "{{ agent.name }} {% include 'x' %}"


def test_objects_do_not_reach_a_template() -> None:
    with pytest.raises(Invalid, match="cannot be given"):
        expand("{{ thing }}", {"thing": object()})
