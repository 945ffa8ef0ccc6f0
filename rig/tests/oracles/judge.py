"""Answers the questions of statistics.rs with scipy: a list of JSON questions in, a list of lists of numbers out.

Nothing of rig is known here: each answer comes from the library, or from the published formula where the library has none.
"""

import itertools
import json
import math
import sys

import numpy as np
from scipy import optimize, stats

# Outcomes whose probabilities differ by less are equally probable, as in R's fisher.test.
TIE = 1 + 1e-7


def tails(q):
    hits, trials, p = q["hits"], q["trials"], q["p"]
    return [stats.binom.logpmf(hits, trials, p), stats.binom.logsf(hits - 1, trials, p), stats.binom.logcdf(hits, trials, p)]


def clopper_pearson(q):
    # By the beta distribution: scipy's binomtest ends its search at an absolute 2e-12, which is too coarse for rare hits.
    hits, misses, half = q["hits"], q["trials"] - q["hits"], (1 - q["level"]) / 2
    low = stats.beta.ppf(half, hits, misses + 1) if hits else 0.0
    high = stats.beta.isf(half, hits + 1, misses) if misses else 1.0
    return [low, high]


def hits_given_total(first, second):
    """Each number of hits of the second sample, and its probability."""
    (x1, n1), (x2, n2) = first, second
    hits = x1 + x2
    support = np.arange(max(0, hits - n1), min(hits, n2) + 1)
    return support, stats.hypergeom.pmf(support, n1 + n2, n2, hits)


def fisher(q):
    (x1, n1), (x2, n2) = q["first"], q["second"]
    if n1 + n2 <= 600:
        return [stats.fisher_exact([[x1, n1 - x1], [x2, n2 - x2]]).pvalue]
    support, p = hits_given_total(q["first"], q["second"])
    seen = p[support == x2][0]
    return [min(1.0, p[p <= seen * TIE].sum())]


def difference(q):
    """The score test's statistic at each bound, which should be the normal quantile of the level."""
    (x1, n1), (x2, n2) = q["first"], q["second"]
    return [abs(x2 / n2 - x1 / n1 - d) / math.sqrt(variance(x1, n1, x2, n2, d)) for d in q["bounds"]]


def variance(x1, n1, x2, n2, d):
    """Of the difference, where it is d (O. Miettinen and M. Nurminen, Statistics in Medicine 4, 1985)."""
    p1, q1, p2, q2 = most_likely(x1, n1, x2, n2, d)
    return (p1 * q1 / n1 + p2 * q2 / n2) * (n1 + n2) / (n1 + n2 - 1)


def stratified_difference(q):
    strata = q["strata"]
    weights = [n1 * n2 / (n1 + n2) for (_, n1), (_, n2) in strata]
    observed = sum(w * (x2 / n2 - x1 / n1) for w, ((x1, n1), (x2, n2)) in zip(weights, strata)) / sum(weights)
    z = stats.norm.ppf(1 - (1 - q["level"]) / 2)

    def excess(d):
        of_all = sum(w**2 * variance(x1, n1, x2, n2, d) for w, ((x1, n1), (x2, n2)) in zip(weights, strata))
        return abs(d - observed) - z * math.sqrt(of_all) / sum(weights)

    # What the test does not reject may be two ranges with a gap: the interval holds both, so a bound is looked for from outside.
    bounds = []
    for edge in (-1 + 1e-12, 1 - 1e-12):
        steps = [observed + (edge - observed) * (k / 40) ** 3 for k in range(40, -1, -1)]
        kept = next(k for k, d in enumerate(steps) if excess(d) <= 0)
        bounds.append(optimize.brentq(excess, steps[kept], steps[kept - 1], xtol=1e-13) if kept else edge)
    return [observed, *bounds]


def most_likely(x1, n1, x2, n2, d):
    """The shares of the largest likelihood under p2 - p1 = d, and their complements: the zero of its derivative, by Brent's method."""
    low1, low2, width = max(0.0, -d), max(0.0, d), 1.0 - abs(d)

    def at(t):
        return low1 + t, low2 + (width - t), low2 + t, low1 + (width - t)

    def slope(t):
        p1, q1, p2, q2 = at(t)
        terms = ((x1, p1), (x1 - n1, q1), (x2, p2), (x2 - n2, q2))
        return sum(times / share for times, share in terms if times)

    first, last = width * 1e-15, width * (1 - 1e-15)
    if slope(first) <= 0:
        return at(0.0)
    if slope(last) >= 0:
        return at(width)
    return at(optimize.brentq(slope, first, last, xtol=1e-300, rtol=1e-14, maxiter=1000))


def stratified_fisher(q):
    least, seen, p = 0, 0, np.ones(1)
    for first, second in q["strata"]:
        support, of_one = hits_given_total(first, second)
        p = np.convolve(p, of_one)
        least += support[0]
        seen += second[0]
    return [min(1.0, p[p <= p[seen - least] * TIE].sum())]


def holm(q):
    """By closed testing with Bonferroni's test of each set, which Holm's procedure is the short cut of."""
    p = q["p_values"]
    adjusted = [0.0] * len(p)
    for size in range(1, len(p) + 1):
        for chosen in itertools.combinations(range(len(p)), size):
            of_set = min(1.0, size * min(p[i] for i in chosen))
            for i in chosen:
                adjusted[i] = max(adjusted[i], of_set)
    return adjusted


def dispersion(q):
    hits, sizes = np.array(q["hits"]), np.array(q["sizes"])
    found = stats.chi2_contingency([hits, sizes - hits], correction=False)
    statistic = found.statistic * (sizes.sum() - 1) / sizes.sum()
    return [statistic / found.dof, stats.chi2.sf(statistic, found.dof)]


def relabel(q):
    blocks = np.array(q["first"] + q["second"])
    chosen, total = len(q["first"]), blocks.sum(axis=0)

    def statistic(labelled):
        part = blocks[list(labelled)].sum(axis=0)
        table = np.array([part, total - part])
        table = table[:, table.sum(axis=0) > 0]
        if table.shape[1] < 2 or (table.sum(axis=1) == 0).any():
            return 0.0
        return stats.chi2_contingency(table, correction=False, lambda_="log-likelihood").statistic

    seen = statistic(range(chosen))
    all_of_them = [statistic(labelled) for labelled in itertools.combinations(range(len(blocks)), chosen)]
    return [seen, sum(one >= seen - 1e-9 * max(seen, 1.0) for one in all_of_them) / len(all_of_them)]


def power(q):
    """With which probability Fisher's test finds that the second share is higher by this rise."""
    n1, n2 = q["first"], q["second"]
    found = 0.0
    for x1 in range(n1 + 1):
        rejected = [x2 for x2 in range(n2 + 1) if x2 / n2 > x1 / n1 and stats.fisher_exact([[x1, n1 - x1], [x2, n2 - x2]]).pvalue <= q["alpha"]]
        found += stats.binom.pmf(x1, n1, q["baseline"]) * stats.binom.pmf(rejected, n2, q["baseline"] + q["rise"]).sum()
    return [found]


def special(q):
    return [stats.norm.ppf(q["p"]), stats.chi2.logsf(q["x"], q["freedom"])]


KINDS = [tails, clopper_pearson, fisher, difference, stratified_difference, stratified_fisher, holm, dispersion, relabel, power, special]

if __name__ == "__main__":
    known = {kind.__name__: kind for kind in KINDS}
    answers = [[float(number) for number in known[question["kind"]](question)] for question in json.load(sys.stdin)]
    json.dump(answers, sys.stdout)
