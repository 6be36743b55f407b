"""How far a measured share, quantile or mean may be from what was asked, by chance alone.

Everything here is five standard deviations of what is measured: once in 1.7 million runs, if the kernel's random
numbers are any good. So a bound is never widened because a test "flakes": it cannot.
"""

import math
import statistics

SIGMAS = 5
KS_ALPHA = 1e-6  # the same, about


def share(n, p):
    """(least, most) of n independent draws of probability p."""
    half = SIGMAS * math.sqrt(n * p * (1 - p))
    return n * p - half, n * p + half


def within(what, got, bounds):
    least, most = bounds
    assert least <= got <= most, f"{what}: {got:.4g}, not within {least:.4g} and {most:.4g}"


def markov(n, p, r, lost_bad=1.0, lost_good=0.0):
    """(least, most) lost of n, when the bad state is entered with p, left with r, and loses lost_bad of them."""
    bad = p / (p + r)
    mean = bad * lost_bad + (1 - bad) * lost_good
    # The state of a datagram tells of the next one's, by the second eigenvalue of the chain.
    memory = 1 - p - r
    variance = mean * (1 - mean) + 2 * bad * (1 - bad) * (lost_bad - lost_good) ** 2 * memory / (1 - memory)
    half = SIGMAS * math.sqrt(n * variance)
    return n * mean - half, n * mean + half


def geometric_mean_length(n_bursts, r):
    """(least, most) of the mean length of n_bursts that end with r after each."""
    half = SIGMAS * math.sqrt(1 - r) / r / math.sqrt(max(n_bursts, 1))
    return 1 / r - half, 1 / r + half


def renewals(n, gap, p):
    """(least, most) events in n, when an event needs gap - 1 others before it and then comes with p at each."""
    mean, variance = gap - 1 + 1 / p, (1 - p) / p ** 2
    half = SIGMAS * math.sqrt(n * variance / mean ** 3) + 1
    return n / mean - half, n / mean + half


class Uniform:
    """From least to most."""

    def __init__(self, least, most):
        self.least, self.most = least, most
        self.deviation, self.kurtosis = (most - least) / math.sqrt(12), 1.8

    def quantile(self, q):
        return self.least + q * (self.most - self.least)

    def density(self, _):
        return 1 / (self.most - self.least)


class Normal:
    """Of that mean and standard deviation."""

    def __init__(self, mean, deviation):
        self.normal, self.deviation, self.kurtosis = statistics.NormalDist(mean, deviation), deviation, 3
        self.least, self.most = 0, math.inf

    def quantile(self, q):
        return self.normal.inv_cdf(q)

    def density(self, x):
        return self.normal.pdf(x)


def quantile_error(distribution, n, q):
    return SIGMAS * math.sqrt(q * (1 - q) / n) / distribution.density(distribution.quantile(q))


def deviation_error(distribution, n):
    return SIGMAS * distribution.deviation * math.sqrt((distribution.kurtosis - 1) / (4 * n))


def correlation(values):
    """Of each with the next."""
    mean = statistics.fmean(values)
    both = sum((a - mean) * (b - mean) for a, b in zip(values, values[1:]))
    return both / sum((a - mean) ** 2 for a in values)


def correlation_error(n, rho):
    return SIGMAS * math.sqrt((1 - rho ** 2) / n)


def kolmogorov_smirnov(ours, theirs):
    """(largest distance of the two distributions, what chance allows), of two sorted lists."""
    i = j = 0
    distance = 0.0
    while i < len(ours) and j < len(theirs):
        x = min(ours[i], theirs[j])
        while i < len(ours) and ours[i] <= x:
            i += 1
        while j < len(theirs) and theirs[j] <= x:
            j += 1
        distance = max(distance, abs(i / len(ours) - j / len(theirs)))
    allowed = math.sqrt(-math.log(KS_ALPHA / 2) / 2 * (1 / len(ours) + 1 / len(theirs)))
    return distance, allowed


def same_share(n, a, b, memory=0.0):
    """Two counts out of n each are of one probability, when each draw tells at most so much of the next."""
    pooled = (a + b) / (2 * n)
    half = SIGMAS * math.sqrt(2 * n * pooled * (1 - pooled) * (1 + memory) / (1 - memory))
    assert abs(a - b) <= half, f"{a} and {b} of {n}: chance explains a difference of {half:.0f}"
