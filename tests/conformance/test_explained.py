"""What agrees, what is explained and what is not; and an explanation that nothing needs any more is told."""

import pytest

from conformance.explained import Explanation, reckon
from conformance.result import Result


def result(id_: str, got: str, *facts: str, expected: tuple[str, ...] = ("verified",)) -> Result:
    return Result(id_, expected, got, frozenset(facts))


@pytest.mark.parametrize(
    ("expected", "got", "agrees"),
    [
        ("verified", "verified", True),
        ("refused", "refused time.expired", True),
        ("refused time.", "refused time.expired", True),
        ("refused time.expired", "refused time.expired", True),
        ("refused time.exp", "refused time.expired", False),
        ("refused", "refusedness", False),
        ("refused decode.", "refused time.expired", False),
        ("verified", "refused time.expired", False),
        ("invalid", "invalid: no key", True),
        ("verified", "no answer the command ended with 2", False),
        ("refused", "unverifiable national.static", False),
    ],
)
def test_an_answer_agrees_in_whole_words(expected: str, got: str, agrees: bool) -> None:
    assert result("a", got, expected=(expected,)).agrees is agrees


def test_each_difference_is_explained_by_its_id_or_by_what_the_case_is() -> None:
    by_id = Explanation("suite", "refused key.usage", "why", id="b")
    by_fact = Explanation("suite", "refused time.future", "why", fact="early")
    of_another_suite = Explanation("another", "refused decode.cose", "why", id="d")
    found = reckon(
        "suite",
        [
            result("a", "verified"),
            result("b", "refused key.usage"),
            result("c", "refused time.future", "early"),
            result("d", "refused decode.cose"),
            result("e", "refused key.unknown", "early"),
        ],
        [by_id, by_fact, of_another_suite],
    )
    assert [r.id for r in found.agreed] == ["a"]
    assert [(r.id, why) for r, why in found.explained] == [("b", by_id), ("c", by_fact)]
    assert [r.id for r in found.unexplained] == ["d", "e"], "said otherwise than explained, or of another suite"
    assert found.stale == []
    assert found.cases == 5


@pytest.mark.parametrize(
    ("why", "said", "is_stale"),
    [
        (Explanation("suite", "refused key.usage", "why", id="a"), result("a", "verified"), True),
        (Explanation("suite", "refused key.usage", "why", id="a"), result("b", "verified"), False),
        (Explanation("suite", "refused time.future", "why", fact="early"), result("a", "verified", "early"), True),
        (Explanation("suite", "refused time.future", "why", fact="early"), result("a", "verified", "late"), False),
        (
            Explanation("suite", "refused time.future", "why", fact="early"),
            result("a", "refused decode.cose", "early", expected=("refused",)),
            False,
        ),
    ],
    ids=["case agrees", "case is not in the data", "property agrees", "no such property", "refused as it must be"],
)
def test_an_explanation_that_a_case_refutes_is_stale(why: Explanation, said: Result, is_stale: bool) -> None:
    assert bool(reckon("suite", [said], [why]).stale) is is_stale


def test_one_case_that_agrees_does_not_make_a_rule_stale_that_others_need() -> None:
    why = Explanation("suite", "refused time.future", "why", fact="early")
    both = [result("a", "verified", "early"), result("b", "refused time.future", "early")]
    assert reckon("suite", both, [why]).stale == []


@pytest.mark.parametrize(("differing", "unexplained"), [(1, 0), (2, 0), (3, 3), (4, 4)])
def test_a_wide_property_explains_no_more_than_its_share(differing: int, unexplained: int) -> None:
    why = Explanation("suite", "not read", "why", fact="picture", share_max=0.5)
    results = [result(f"{n}", "not read" if n < differing else "verified", "picture") for n in range(4)]
    found = reckon("suite", results, [why])
    assert (len(found.unexplained), len(found.explained)) == (unexplained, differing - unexplained)
    assert found.cases == 4


@pytest.mark.parametrize(("differing", "unexplained"), [(1, 0), (2, 2)])
def test_a_share_may_be_of_a_wider_property(differing: int, unexplained: int) -> None:
    """Of itself a share says nothing where each case that has the property differs."""
    why = Explanation("suite", "read otherwise", "why", fact="second", share_max=0.25, among="picture")
    others = [result(f"{n}", "verified", "picture") for n in range(differing, 4)]
    results = [result(f"{n}", "read otherwise", "picture", "second") for n in range(differing)] + others
    assert len(reckon("suite", results, [why]).unexplained) == unexplained
