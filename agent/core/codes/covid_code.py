"""Personal health information codes and travel cards of the COVID-19 years: recognised to say so, never to be used.

The services are shut down; what a code held is nobody's business any more, so none of its text is kept. Recognised are
the web addresses that such codes held (the health code of several provinces, the travel card). The codes after
GB/T 38961 were opaque and differed by province; they are left to "unknown".

Verification:

1. Refused: family.obsolete.
"""

import re

from agent.core.codes.family import Family, Refused
from agent.core.scan import Scan
from agent.core.time_interval import Interval
from agent.core.trust_list import Trust
from agent.core.verdict import Code, Trace, Verdict

NAME = "covid-code"
_ADDRESS = re.compile(
    r"https?://(?:(?:h5|healthcode)\.dingtalk\.com/healthAct|xc\.caict\.ac\.cn)(?:[/?#]|\Z)", re.IGNORECASE | re.ASCII
)


def recognise(text: str, scan: Scan) -> Code | None:
    """Recognise the web addresses of services that are no more; in either case, as Caps Lock types them."""
    return Code(NAME, text) if _ADDRESS.match(text) else None


def verify(code: Code, trust: Trust | None, now: Interval, trace: Trace | None) -> Verdict:
    """Verify in the order of the module's docstring. Raises Refused."""
    # 1
    raise Refused("family.obsolete", detail="the service behind this code was shut down")


FAMILY = Family(NAME, recognise, verify)
