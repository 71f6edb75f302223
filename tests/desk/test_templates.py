"""desk.templates: plain data in, plain text out, and nothing else (invariant 16)."""

from __future__ import annotations

import time
from typing import Any

import pytest

from desk.errors import Invalid
from desk.model import Priority, Status
from desk.templates import FILTERS, expand, names

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


# -- a hundred that mean harm -------------------------------------------------------

_LONG = "a" * 20_000
HOSTILE = [
    # walks from a value into Python
    "{{ agent.__class__ }}",
    "{{ agent['__class__'] }}",
    "{{ agent['__cla' 'ss__'] }}",
    "{{ agent.__getattribute__('__class__') }}",
    "{{ agent.__reduce_ex__(2) }}",
    "{{ agent.__init__.__globals__ }}",
    "{{ agent.keys() }}",
    "{{ agent.get('name') }}",
    "{{ agent.clear() }}",
    "{{ agent.update({'name': 'x'}) }}",
    "{{ agent . pop ('name') }}",
    "{{ agent\n.\npop\n(\n'name') }}",
    "{{ agent['pop']('name') }}",
    "{{ (agent.pop)('name') }}",
    "{{ agent|attr('__class__') }}",
    "{{ agent |attr ('pop') }}",
    "{{ ticket.tags.append('x') }}",
    "{{ ticket.tags.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''.join.__globals__ }}",
    "{{ 'a'.upper() }}",
    "{{ 'a'.format(agent) }}",
    "{{ ().__class__ }}",
    "{{ {}.__class__ }}",
    "{{ 5 .__class__ }}",
    "{{ agent.name.__len__() }}",
    "{{ agent|map(attribute='__class__')|list }}",
    "{{ [agent]|map('attr', '__class__')|join }}",
    "{{ [agent]|groupby('__class__') }}",
    "{{ [agent]|sum(attribute='__class__') }}",
    "{{ [agent]|selectattr('__class__')|list }}",
    "{% if agent.__class__ %}x{% endif %}",
    "{% for x in agent.items() %}{{ x }}{% endfor %}",
    "{% for x in agent.__dict__ %}{{ x }}{% endfor %}",
    # files, other templates, the environment, what the engine knows of itself
    "{% include '/etc/passwd' %}",
    "{% include ['a', '/etc/passwd'] ignore missing %}",
    "{%include'/etc/passwd'%}",
    "{%- include '/etc/passwd' -%}",
    "{%+ include '/etc/passwd' %}",
    "{% import '/etc/passwd' as x %}",
    "{% from 'os' import path %}",
    "{% extends '/etc/passwd' %}",
    "{% block x %}{% endblock %}",
    "{{ self }}",
    "{{ self.x() }}",
    "{{ super() }}",
    "{{ open('/etc/passwd') }}",
    "{{ env }}",
    "{{ environ['HOME'] }}",
    "{{ config }}",
    "{{ request }}",
    "{{ os.environ }}",
    "{{ debug() }}",
    "{{ lipsum() }}",
    "{{ cycler('a') }}",
    "{{ joiner() }}",
    "{{ dict(a=1) }}",
    "{{ namespace(a=1) }}",
    "{{ caller() }}",
    "{{ agent|pprint }}",
    "{{ agent|tojson }}",
    "{{ agent|safe }}",
    # much out of little
    "{{ 'a' * 100000000 }}",
    "{{ [1] * 1000000000 }}",
    "{{ 10 ** 10 ** 10 }}",
    "{{ 'a' ~ 'a' }}",
    "{{ 'a' + 'a' }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '%1000000000d'|format(1) }}",
    "{{ 'a'|indent(1000000000) }}",
    "{{ 'a'|center(1000000000) }}",
    "{{ 'a'|wordwrap(1, wrapstring='" + "b" * 900 + "') }}",
    "{{ range(100000000)|list }}",
    "{{ range(10000)|join }}",
    "{% for i in range(10000) %}{% for j in range(10000) %}x{% endfor %}{% endfor %}",
    "{{ said|replace('a', said) }}",
    "{{ said|replace('', said) }}",
    "{{ said|replace('a', 'aaaaaaaaaa')|replace('a', 'aaaaaaaaaa') }}",
    "{{ [said, said, said, said, said, said, said, said, said, said, said]|join(said) }}",
    "{{ said }}" * 11,
    "{{ said|quote|quote|quote|quote|quote|quote|quote|quote|quote|quote|quote }}",
    "{% for a in ticket.tags %}{% for b in ticket.tags %}{% for c in ticket.tags %}{{ said }}{% endfor %}{% endfor %}{% endfor %}",
    "{% for x in [" + "1," * 400 + "] %}" * 3 + "y" + "{% endfor %}" * 3,
    "{% for x in [" + "1," * 400 + "] %}" * 2 + "y" * 15_000 + "{% endfor %}" * 2,
    "{% set a = 'a' %}",
    "{% set a %}{{ said }}{% endset %}{{ a }}",
    "{% with a = 'a' %}{% endwith %}",
    "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
    "{% macro f(x) %}{{ x }}{{ x }}{% endmacro %}{{ f(f(f(f(said)))) }}",
    "{% call f() %}{% endcall %}",
    "{% filter upper %}a{% endfilter %}",
    "{% for x in [1] recursive %}{{ loop([x]) }}{% endfor %}",
    "{% for x in ticket.tags\nrecursive %}{{ loop(ticket.tags) }}{% endfor %}",
    "{% raw %}{{ agent.name }}{% endraw %}",
    "{% autoescape true %}{% endautoescape %}",
    "{% do 1 %}",
    # what ends a parser
    "{{ " + "-" * 900 + "1 }}",
    "{{ " + "- " * 400 + "1 }}",
    "{{ " + "-" * 19_000 + "1 }}",
    "{{ " + "(" * 490 + "1" + ")" * 490 + " }}",
    "{{ " + "[" * 490 + "]" * 490 + " }}",
    "{{ " + "{1:" * 300 + "1" + "}" * 300 + " }}",
    "{{ " + "not " * 4_000 + "1 }}",
    "{% if 1 %}" * 900 + "{% endif %}" * 900,
    "{{ agent.name" + "|d(" * 300 + "1" + ")" * 300 + " }}",
    "{{ " + _LONG + " }}",
    _LONG + "{{ agent.name }}" + _LONG,
    "{{ agent.name ",
    "{% if agent.name ",
    "{{ 'agent.name }}",
    "{{ \"}}\" ~ 'a' }}",
    "{{ '\\'' * 100000000 }}",
    "{# {{ #}{{ 'a' * 100000000 }}",
    "{{ '{#' }}{{ 'a' * 100000000 }}{{ '#}' }}",
    "{{ now|date(agent.name) }}",
    "{{ now|date('long', '/etc/passwd') }}",
    "{{ now|date('long', 'en', '../../../etc/passwd') }}",
    "{{ now|date('long', 'en', '/etc/localtime') }}",
    "{{ agent|date }}",
]


def test_there_are_a_hundred_of_them() -> None:
    assert len(set(HOSTILE)) >= 100


@pytest.mark.parametrize("template", HOSTILE, ids=[f"{n}-{t[:24]!r}" for n, t in enumerate(HOSTILE)])
def test_a_hostile_template_gives_nothing_away_and_stops_in_milliseconds(template: str) -> None:
    tags = ["vpn"] * 40
    data: dict[str, Any] = {
        "agent": {"name": "kim"},
        "ticket": {"tags": tags},
        "said": _LONG,
        "now": "2026-02-02T03:40:00+01:00",
    }
    begun = time.process_time()
    with pytest.raises(Invalid) as refused:
        expand(template, data)
    assert time.process_time() - begun < 0.25
    assert len(str(refused.value)) < 500
    assert "root:" not in str(refused.value)
    assert "<class" not in str(refused.value)
    assert data["agent"] == {"name": "kim"}
    assert data["ticket"]["tags"] == tags


def test_what_is_missing_is_named() -> None:
    with pytest.raises(Invalid, match=r'ticket\.due has no value here; \{\{ ticket\.due\|default\("\.\.\."\) \}\}'):
        expand("Until {{ ticket.due }}", DATA)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ ticket.tags|join(', ') }}", "vpn, hot"),
        ("{{ ticket.tags|first }} {{ ticket.tags|length }} {{ ticket.tags[-1] }}", "vpn 2 hot"),
        ("{{ 'a-b'|replace('-', '+') }}", "a+b"),
        ("{{ 'one\n\ntwo'|quote }}", "> one\n>\n> two"),
        ("{{- agent.name -}}", "kim"),
        ("{{ 'so much to say'|truncate(8) }} {{ 'short'|truncate(8) }}", "so much… short"),
        ("{# a comment with {{ in it #}x", "x"),
        ("{{ '2026-02-02T03:40:00+01:00'|date }}", "2 February 2026"),
        ("{{ '{{ agent.name }}' }}", "{{ agent.name }}"),
    ],
)
def test_filters_do_what_they_say(template: str, text: str) -> None:
    assert expand(template, DATA) == text


def test_every_filter_that_is_left_works_and_every_other_is_gone() -> None:
    from minijinja import Environment

    for name in FILTERS:
        Environment().remove_filter(name)
        with pytest.raises(Invalid) as error:
            expand(f"{{{{ nothing|{name} }}}}{{{{ nothing }}}}", DATA)
        assert "unknown filter" not in str(error.value)


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("no placeholder", set()),
        ("{{ ticket.subject|default(x.y) }}", {"ticket.subject", "x.y"}),
        ("{% for t in ticket.tags %}{{ t }}{{ input.a }}{% endfor %}", {"ticket.tags", "input.a"}),
    ],
)
def test_names_tells_what_a_template_asks_for(template: str, found: set[str]) -> None:
    assert names(template) == found


@pytest.mark.parametrize("template", ["{{ ticket.id", "{% if 1 %}", "{{ a b }}", "{% include 'x' %}"])
def test_names_finds_what_is_no_template(template: str) -> None:
    with pytest.raises(Invalid):
        names(template)
