import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.core.backoff import Backoff, TokenBucket


def test_the_ceiling_doubles_to_its_cap():
    backoff = Backoff(first_s=1, delay_s_max=10, stable_s=30)
    assert [backoff.delay_s(0, 0.999999) for _ in range(6)] == pytest.approx([1, 2, 4, 8, 10, 10], rel=1e-4)


def test_a_draw_of_zero_means_no_delay():
    assert Backoff(first_s=1, delay_s_max=10, stable_s=30).delay_s(0, 0.0) == 0


def test_a_short_success_does_not_reset_it_and_a_long_one_does():
    backoff = Backoff(first_s=1, delay_s_max=64, stable_s=30)
    for _ in range(4):
        backoff.delay_s(0, 0.5)
    backoff.succeeded(100)
    assert backoff.delay_s(110, 0.5) == 8
    backoff.succeeded(200)
    backoff.succeeded(229)  # a later success does not move the beginning
    assert backoff.delay_s(230, 0.5) == 0.5


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 100), st.floats(0, 0.999))))
def test_no_history_makes_a_delay_negative_or_above_the_cap(steps):
    backoff, now = Backoff(first_s=0.5, delay_s_max=20, stable_s=30), 0.0
    for is_good, passed, draw in steps:
        now += passed
        if is_good:
            backoff.succeeded(now)
        else:
            assert 0 <= backoff.delay_s(now, draw) < 20


def test_the_bucket_lets_a_burst_through_and_then_its_rate():
    bucket = TokenBucket(rate_per_s=100, burst=200)
    assert bucket.wait_s(0, 200) == 0
    assert bucket.wait_s(0, 50) == pytest.approx(0.5)
    assert bucket.wait_s(1.5, 100) == 0


def test_an_idle_bucket_holds_no_more_than_its_burst():
    bucket = TokenBucket(rate_per_s=100, burst=200)
    bucket.wait_s(0, 0)
    assert bucket.wait_s(10_000, 300) == pytest.approx(1.0)
