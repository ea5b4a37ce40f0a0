"""Makes a failing plan shorter: leaves out what is not needed for the failure."""

from __future__ import annotations

from tests.sim.plan import Plan
from tests.sim.run import Simulator


def shrink(simulator: Simulator, plan: Plan) -> Plan:
    """The shortest plan found that still fails; the plan itself where it does not."""
    problem = simulator.run(plan).problem
    if problem is None:
        return plan
    again = True
    while again:
        again = False
        for act in plan.acts:
            shorter = plan.without(act)
            if (found := simulator.run(shorter).problem) and found[:10] == problem[:10]:
                plan, again = shorter, True
    return plan
