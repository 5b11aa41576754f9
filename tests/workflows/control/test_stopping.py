"""Signals end a controller in order the first time, at once the second."""

import os
import signal

import pytest

from workflows.control.stopping import Stop, Stopped


def send(number):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("name", ["SIGINT", "SIGUSR1", "SIGTERM", "SIGHUP"])
def test_where_nothing_runs_the_first_signal_stops_and_the_second_interrupts(name):
    number = getattr(signal, name)
    before = signal.getsignal(number)
    with Stop(300) as stop:
        with pytest.raises(Stopped):
            send(number)
        assert stop.asked
        with pytest.raises(KeyboardInterrupt):
            send(number)
    assert signal.getsignal(number) is before


@pytest.mark.parametrize(
    ("name", "drain_s", "within_s"),
    [("SIGINT", 300, 300), ("SIGUSR1", 300, 300), ("SIGTERM", 300, 12), ("SIGHUP", 300, 12), ("SIGTERM", 5, 5)],
)
def test_where_trials_run_they_are_given_time_less_where_a_batch_system_kills_soon(name, drain_s, within_s):
    asked = []
    with Stop(drain_s) as stop, stop.calling(asked.append):
        send(getattr(signal, name))
        assert asked == [within_s]
        with pytest.raises(KeyboardInterrupt):
            send(signal.SIGINT)


def test_after_the_trials_a_signal_stops_again():
    with Stop(300) as stop:
        with stop.calling(pytest.fail):
            pass
        with pytest.raises(Stopped):
            send(signal.SIGTERM)


def test_nohup_is_respected():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Stop(300) as stop:
            send(signal.SIGHUP)
            assert not stop.asked
    finally:
        signal.signal(signal.SIGHUP, before)
