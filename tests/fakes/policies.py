"""A policy with a step for each way of asking: nobody, the pharmacist, the patient."""

from agent.core.steps import parse_policy

POLICY = parse_policy(b"""
format = "scanward-policy-1"
version = 4
[steps.registration]
verified = ["ehc.any"]
[steps.payment]
verified = ["ehc.dynamic"]
[steps.dispensing]
verified = ["ehc.any"]
confirm = "pharmacist"
[steps.record-query]
verified = ["ehc.dynamic"]
confirm = "patient"
""")
