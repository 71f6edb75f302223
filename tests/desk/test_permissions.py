"""Who may do what."""

from __future__ import annotations

import pytest

from desk.actions import load
from desk.errors import Forbidden
from desk.model import Agent, Role
from desk.permissions import allowed, demand


@pytest.mark.parametrize("has", Role)
@pytest.mark.parametrize("needs", Role)
def test_each_role_may_do_all_that_the_ones_before_it_may(has: Role, needs: Role) -> None:
    order = [Role.READ_ONLY, Role.AGENT, Role.LEAD, Role.ADMIN]
    kim = Agent("kim", role=has)
    if order.index(has) >= order.index(needs):
        assert demand(kim, "sing", needs) is kim
    else:
        with pytest.raises(Forbidden) as caught:
            demand(kim, "sing", needs)
        assert str(caught.value) == f"sing: you are kim with the role {has}, this needs the role {needs}; ask an admin"


@pytest.mark.parametrize("agent", [None, Agent("kim", role=Role.ADMIN, active=False)])
def test_nobody_and_who_has_left_may_nothing(agent: Agent | None) -> None:
    with pytest.raises(
        Forbidden, match="you are not an agent of this desk; an admin adds you with: deskhand agent add"
    ):
        demand(agent, "tag", Role.READ_ONLY)
    assert not any(allowed(agent, action) for action in load().values())


def test_allowed_says_what_demand_does() -> None:
    for role in Role:
        kim = Agent("kim", role=role)
        for action in load().values():
            assert allowed(kim, action) is (role.rank >= action.role.rank)


def test_only_blocking_a_sender_needs_more_than_an_agent() -> None:
    assert {name: a.role for name, a in load().items() if a.role is not Role.AGENT} == {
        "block": Role.LEAD,
        "unblock": Role.LEAD,
    }
