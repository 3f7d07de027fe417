import pytest

from edgecnn_training.schedule import Schedule, rate_at

# Of five epochs with a base rate of 1e-3.
RATES = {
    Schedule.CONSTANT: [1e-3] * 5,
    # `1e-3 * 0.99 ** (x + NO_EPOCHS)` of seed 4.
    Schedule.EXPONENTIAL: [9.5099e-4, 9.4148e-4, 9.3207e-4, 9.2274e-4, 9.1352e-4],
    Schedule.COSINE: [1e-3, 9.0451e-4, 6.5451e-4, 3.4549e-4, 9.5492e-5],
}


@pytest.mark.parametrize("schedule", Schedule)
def test_rates(schedule: Schedule) -> None:
    rates = [rate_at(schedule, epoch, epochs=5, base=1e-3) for epoch in range(5)]
    assert rates == pytest.approx(RATES[schedule], rel=1e-4)


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Schedule.CONSTANT, [1 / 3, 2 / 3, 1, 1, 1]),
        (Schedule.COSINE, [1 / 3, 2 / 3, 1, 0.75, 0.25]),
        (Schedule.EXPONENTIAL, [1 / 3, 2 / 3, 0.99**3, 0.99**4, 0.99**5]),
    ],
)
def test_a_warmup_rises_to_where_the_schedule_begins(schedule: Schedule, expected: list[float]) -> None:
    rates = [rate_at(schedule, epoch, epochs=5, base=1.0, warmup=2) for epoch in range(5)]
    assert rates == pytest.approx(expected)
