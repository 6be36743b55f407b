"""What a train must look like for each weather. A judge gets the train and one without weather, of the same minute.

A delay may be longer than asked because the machine is busy, never shorter: bounds below are exact, bounds above say
Late (rig.py) and have room for what the train without weather shows, and SLACK_MS.
"""

import statistics

import bounds
from rig import on_time

# The kernel keeps delays in ticks of 64 ns, and the sender reads its clock before the kernel does: 10 us is plenty.
EARLY_MS = 0.01
# Timers in emulation fire up to 1 ms late on an idle machine, and medians of trains differ by less.
SLACK_MS = 3.0
STALL_MS = 1.0  # of a deviation, either way
RATE_TOO_FAST, RATE_TOO_SLOW = 1.01, 0.95
MEMORY = 0.5  # more than any correlation here: how much the loss of one tells of the next
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)


def whole(train, control):
    """As without weather: all there, in order, unchanged, and no later."""
    train.is_whole()
    on_time(train.median_ms <= control.quantile_ms(0.9) + SLACK_MS, f"median {train.median_ms:.2f} ms")
    return f"{train.n} as sent"


def delayed(ms):
    def judge(train, control):
        train.is_whole()
        assert train.delays_ms[0] >= ms - EARLY_MS, f"one came after {train.delays_ms[0]:.3f} ms"
        most = ms + control.quantile_ms(0.9) + SLACK_MS
        on_time(train.median_ms <= most, f"median {train.median_ms:.2f} ms, more than {most:.2f} ms")
        return (f"least {train.delays_ms[0]:.3f} ms, median {train.median_ms:.3f} ms, "
                f"mean {statistics.fmean(train.delays_ms):.3f} ms (without: median {control.median_ms:.3f} ms)")
    return judge


def spread(distribution, in_order=False):
    """The delays have that distribution, by their quantiles and their deviation."""
    def judge(train, control):
        n = len(train.delays_ms)
        assert (train.lost, train.duplicates, train.changed) == (0, 0, [])
        if in_order:
            train.is_whole()
        assert train.delays_ms[0] >= distribution.least - EARLY_MS, f"one came after {train.delays_ms[0]:.3f} ms"
        for q in QUANTILES:
            got, want = train.quantile_ms(q), distribution.quantile(q)
            error = bounds.quantile_error(distribution, n, q)
            assert got >= want - error, f"quantile {q} is {got:.2f} ms, below {want:.2f} by more than {error:.2f}"
            on_time(got <= want + error + control.median_ms + SLACK_MS,
                    f"quantile {q} is {got:.2f} ms, above {want:.2f} by more than {error:.2f}")
        # One stall of the machine would be most of the deviation: what no draw explains counts as the largest draw.
        most = distribution.quantile(1 - 1 / n) + control.median_ms
        got = statistics.stdev(min(delay, most) for delay in train.delays_ms)
        error = bounds.deviation_error(distribution, n) + STALL_MS
        on_time(abs(got - distribution.deviation) <= error, f"deviation {got:.2f} ms")
        return f"median {train.median_ms:.2f} ms, deviation {got:.2f} ms of {distribution.deviation:.2f} ms"
    return judge


def correlated(rho):
    """Each delay with the next, by numbers."""
    def judge(train, _):
        by_number = [a.delay_ms for a in sorted(train.arrivals)]
        got = bounds.correlation(by_number)
        # Noise lowers it, and stalls raise it.
        on_time(abs(got - rho) <= bounds.correlation_error(train.n, rho) + 0.02, f"correlation {got:.3f}")
        return f"correlation {got:.3f}"
    return judge


def only_lost(train):
    assert (train.duplicates, train.changed, train.overtakers()) == (0, [], set()), "more than loss"


def lost(p):
    def judge(train, _):
        only_lost(train)
        bounds.within("lost", train.lost, bounds.share(train.n, p))
        return f"{train.lost} of {train.n} lost, {100 * train.lost / train.n:.2f} %"
    return judge


def lost_in_bursts(p, r, lost_bad=1.0, lost_good=0.0):
    """Gilbert-Elliott: the bad state is entered with p and left with r."""
    def judge(train, _):
        only_lost(train)
        bounds.within("lost", train.lost, bounds.markov(train.n, p, r, lost_bad, lost_good))
        runs = train.bursts()
        mean = statistics.fmean(runs)
        if (lost_bad, lost_good) == (1.0, 0.0):
            bounds.within("mean length of a burst", mean, bounds.geometric_mean_length(len(runs), r))
        return f"{100 * train.lost / train.n:.2f} % lost in {len(runs)} bursts of {mean:.2f}"
    return judge


def nothing(train, _):
    assert not train.arrivals, f"{len(train.arrivals)} of {train.n} came through"
    return f"none of {train.n} came"


def doubled(p):
    def judge(train, _):
        assert (train.lost, train.changed) == (0, [])
        bounds.within("duplicates", train.duplicates, bounds.share(train.n, p))
        return f"{train.duplicates} of {train.n} doubled"
    return judge


def reordered(ms, p, gap):
    """Every gap-th may go at once, with p; the others wait ms. Whether one overtakes depends on the sender's pace, and
    so on the machine; that one came before its time does not."""
    def judge(train, _):
        assert (train.lost, train.duplicates, train.changed) == (0, 0, [])
        least, most = bounds.renewals(train.n, gap, p)
        early = {a.number for a in train.arrivals if a.delay_ms < ms - EARLY_MS}
        over = train.overtakers()
        assert over <= early, "one that waited its time overtook"
        assert len(early) <= most, f"{len(early)} went at once, more than {most:.0f}"
        on_time(len(over) >= least, f"{len(over)} overtook, less than {least:.0f}")
        between = [b - a for a, b in zip(sorted(early), sorted(early)[1:])]
        assert min(between) >= gap, f"two went at once, {min(between)} apart, less than the gap of {gap}"
        return f"{len(early)} of {train.n} went at once, {len(over)} overtook, the nearest {min(between)} apart"
    return judge


def corrupted(p):
    def judge(train, _):
        assert (train.duplicates, train.lost, train.strange) == (0, 0, 0), "more than changed"
        bounds.within("changed", len(train.changed), bounds.share(train.n, p))
        bits = {a.bits_changed for a in train.changed}
        assert bits == {1}, f"bits changed in one frame: {sorted(bits)}"
        return f"{len(train.changed)} of {train.n} changed, one bit each"
    return judge


def paced(octets_s):
    """A bulk at that rate, of whole frames as netem counts them."""
    def judge(train, _):
        train.is_whole()
        seconds = (train.arrivals[-1].at_ms - train.arrivals[0].at_ms) / 1000
        got = sum(a.octets for a in train.arrivals[1:]) / seconds
        assert got <= octets_s * RATE_TOO_FAST, f"{got:.0f} octets a second, more than {octets_s}"
        on_time(got >= octets_s * RATE_TOO_SLOW, f"{got:.0f} octets a second, less than {octets_s}")
        return f"{got:.0f} octets a second of {octets_s}"
    return judge


def slotted(ms, packets):
    """They leave in turns, at least ms apart, of so many at most. At the start one may be open, and the next due."""
    def judge(train, _):
        train.is_whole()
        started_ms = train.arrivals[0].at_ms - train.arrivals[0].delay_ms
        for a in train.arrivals:
            turns = a.number // packets - 1
            assert a.at_ms - started_ms >= turns * ms - EARLY_MS, f"number {a.number} came before turn {turns}"
        turns = train.n / packets
        took_ms = train.arrivals[-1].at_ms - started_ms
        on_time(took_ms <= (turns + 1) * (ms + SLACK_MS), f"{turns:.0f} turns of {ms} ms took {took_ms:.1f} ms")
        return f"{train.n} in {took_ms:.1f} ms"
    return judge


def alike_delays(ours, theirs):
    """The delays of both trains are of one distribution, whatever it is."""
    distance, allowed = bounds.kolmogorov_smirnov(ours.delays_ms, theirs.delays_ms)
    on_time(distance <= allowed, f"the distributions differ by {distance:.3f}, more than {allowed:.3f}")
    return f"the distributions differ by {distance:.3f}; chance allows {allowed:.3f}"


def alike_loss(ours, theirs):
    """Both lose the same share, in runs of the same length."""
    bounds.same_share(ours.n, ours.lost, theirs.lost, MEMORY)
    runs = [train.bursts() for train in (ours, theirs)]
    means = [statistics.fmean(lengths) for lengths in runs]
    error = bounds.SIGMAS * sum(statistics.variance(lengths) / len(lengths) for lengths in runs) ** 0.5
    assert abs(means[0] - means[1]) <= error, f"mean bursts of {means[0]:.2f} and {means[1]:.2f}"
    return f"{ours.lost} and {theirs.lost} of {ours.n} lost, in bursts of {means[0]:.2f} and {means[1]:.2f}"
