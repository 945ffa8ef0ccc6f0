"""Makes cases.csv: figures of rig-stats from arithmetic of 50 digits (mpmath) and from SciPy, none of it written after the crate's code.

    python3 -m venv v && v/bin/pip install mpmath==1.4.1 scipy==1.17.1 && v/bin/python make.py > cases.csv

A line is: function, parameters, wanted figures. Within a field numbers are separated by blanks, lists by `;`. The score interval of a difference is that of
Miettinen and Nurminen's paper, by their closed cubic; statsmodels 0.15 has another one under that name, which is not theirs.
"""

import functools
import itertools
import random

import numpy as np
from mpmath import mp, mpf
from scipy import stats

mp.dps = 50
ROWS = []
DIGITS = 17


def out(function, parameters, wanted):
    def text(x):
        if isinstance(x, (list, tuple)):
            return ";".join(" ".join(text(y) for y in x_) if isinstance(x_, (list, tuple)) else text(x_) for x_ in x)
        return str(x) if isinstance(x, int) else mp.nstr(mpf(x), DIGITS, min_fixed=0, max_fixed=0)

    ROWS.append(",".join([function, " ".join(text(p) for p in parameters), " ".join(text(w) for w in wanted)]))


def grid(n):
    # Near the middle of ten million a sum has too many terms for 50 digits.
    middle = (n // 3, n // 2) if n <= 100_000 else ()
    return sorted({x for x in (0, 1, 2, 3, 17, *middle, n - 2, n - 1, n) if 0 <= x <= n})


# Binomial and hypergeometric chances -----------------------------------------------------------------------------------------------------------------

@functools.cache
def ln_factorial(n):
    return mp.loggamma(n + 1)


def ln_choose(n, k):
    return ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k)


def ln_pmf(x, n, p):
    p = mpf(p)
    if p == 0 or p == 1:
        return mpf(0) if x == (0 if p == 0 else n) else mpf("-inf")
    return ln_choose(n, x) + x * mp.log(p) + (n - x) * mp.log(1 - p)


def upper_tail(x, n, p):
    """P(X >= x): terms from x upwards, each from the one before, until none is felt."""
    p = mpf(p)
    term = total = mp.exp(ln_pmf(x, n, p))
    odds = p / (1 - p)
    for k in range(x, n):
        term *= mpf(n - k) / (k + 1) * odds
        total += term
        if k > n * p and term < total * mpf(10) ** -40:
            break
    return total


def lower_tail(x, n, p):
    return upper_tail(n - x, n, 1 - mpf(p))


def clopper_pearson(x, n, level):
    half = (1 - mpf(level)) / 2
    if 2 * x > n:
        low, high = clopper_pearson(n - x, n, level)
        return 1 - high, 1 - low

    def root(tail, start):
        # From a library's figure, which has ten digits, by secants on logarithms.
        f = lambda t: mp.log(tail(mp.exp(t))) - mp.log(half)
        start = mp.log(mpf(start))
        return mp.exp(mp.findroot(f, (start, start - mpf(10) ** -8), solver="secant", tol=mpf(10) ** -60, maxsteps=40))

    low = mpf(0) if x == 0 else root(lambda p: upper_tail(x, n, p), stats.beta.ppf(float(half), x, n - x + 1))
    high = 1 - half ** (mpf(1) / n) if x == 0 else root(lambda p: lower_tail(x, n, p), stats.beta.isf(float(half), x + 1, n - x))
    return low, high


def fisher(x1, n1, x2, n2):
    t = x1 + x2
    lowest, highest = max(0, t - n2), min(n1, t)
    ln = lambda x: ln_choose(n1, x) + ln_choose(n2, t - x) - ln_choose(n1 + n2, t)
    limit = ln(x1) + mp.log(1 + mpf(10) ** -7)
    mode = min(max((n1 + 1) * (t + 1) // (n1 + n2 + 2), lowest), highest)
    if ln(mode) <= limit:
        return mpf(1)

    def outermost(inner, end):
        """From the mode, which is over the limit, to the first that is not."""
        if ln(end) > limit:
            return None
        step = 1 if end > inner else -1
        while abs(end - inner) > 1:
            middle = inner + step * (abs(end - inner) // 2)
            if ln(middle) <= limit:
                end = middle
            else:
                inner = middle
        return end

    total = mpf(0)
    for end, step in ((lowest, -1), (highest, 1)):
        x = outermost(mode, end)
        if x is None:
            continue
        term = mp.exp(ln(x))
        first = term
        while True:
            total += term
            nxt = x + step
            if nxt < lowest or nxt > highest or term < first * mpf(10) ** -40:
                break
            if step > 0:
                term *= mpf(n1 - x) * (t - x) / ((x + 1) * (n2 - t + x + 1))
            else:
                term *= mpf(x) * (n2 - t + x) / ((n1 - x + 1) * (t - x + 1))
            x = nxt
    return min(total, mpf(1))


# Miettinen and Nurminen 1985 -------------------------------------------------------------------------------------------------------------------------

def restricted(x1, n1, x2, n2, d):
    """The most likely p1 with p2 = p1 + d: the appendix of the paper, p. 225, whose sample 0 is the first one here."""
    x1, n1, x2, n2, d = (mpf(v) for v in (x1, n1, x2, n2, d))
    n, x = n1 + n2, x1 + x2
    l3, l2 = n, (n2 + 2 * n1) * d - n - x
    l1 = (n1 * d - n - 2 * x1) * d + x
    l0 = x1 * d * (1 - d)
    q = l2**3 / (3 * l3) ** 3 - l1 * l2 / (6 * l3**2) + l0 / (2 * l3)
    p = mp.sqrt(max(l2**2 / (3 * l3) ** 2 - l1 / (3 * l3), mpf(0)))
    if q < 0:
        p = -p
    if p == 0:
        return -l2 / (3 * l3)
    a = (mp.pi + mp.acos(max(min(q / p**3, mpf(1)), mpf(-1)))) / 3
    return 2 * p * mp.cos(a) - l2 / (3 * l3)


def score(x1, n1, x2, n2, d):
    p1 = min(max(restricted(x1, n1, x2, n2, d), mpf(0), -d), mpf(1), 1 - d)
    p2 = p1 + d
    v = (p1 * (1 - p1) / n1 + p2 * (1 - p2) / n2) * mpf(n1 + n2) / (n1 + n2 - 1)
    apart = mpf(x2) / n2 - mpf(x1) / n1 - d
    return apart / mp.sqrt(v) if v > 0 else (mpf("inf") if apart > 0 else mpf("-inf") if apart < 0 else mpf(0))


def difference(x1, n1, x2, n2, level):
    z = mp.sqrt(2) * mp.erfinv(mpf(level))
    mp.dps = 80
    observed = mpf(x2) / n2 - mpf(x1) / n1

    def bound(end, sign):
        inner, outer = observed, mpf(end)
        if sign * score(x1, n1, x2, n2, outer) < z and outer in (-1, 1) and inner == outer:
            return outer
        for _ in range(200):
            middle = (inner + outer) / 2
            if sign * score(x1, n1, x2, n2, middle) > z:
                outer = middle
            else:
                inner = middle
        return outer

    found = bound(-1, 1), bound(1, -1)
    mp.dps = 50
    return found


# Boschloo 1970 ---------------------------------------------------------------------------------------------------------------------------------------

@functools.cache
def fisher_tables(n1, n2):
    p = lambda a, b: stats.fisher_exact([[a, n1 - a], [b, n2 - b]]).pvalue
    return np.array([[p(a, b) for b in range(n2 + 1)] for a in range(n1 + 1)])


def boschloo(x1, n1, x2, n2, low=0.0, high=1.0):
    tables = fisher_tables(n1, n2)
    region = tables <= tables[x1, x2] * (1 + 1e-7)

    def chance(p):
        return stats.binom.pmf(range(n1 + 1), n1, p) @ region @ stats.binom.pmf(range(n2 + 1), n2, p)

    shares = np.linspace(low, high, 2001)
    values = [chance(p) for p in shares]
    best = max(values)
    for i in range(1, len(values) - 1):
        if values[i] >= max(values[i - 1], values[i + 1]) and values[i] > 0.9 * best:
            a, b = shares[i - 1], shares[i + 1]
            for _ in range(80):
                l, r = a + (b - a) / 3, b - (b - a) / 3
                a, b = (l, b) if chance(l) < chance(r) else (a, r)
            best = max(best, chance((a + b) / 2))
    return min(best, tables[x1, x2])


# Sequential rules ------------------------------------------------------------------------------------------------------------------------------------

def ln_block(x, m, p, icc):
    """The chance of a block without its binomial coefficient."""
    p, icc = mpf(p), mpf(icc)
    if icc == 0:
        if p == 0:
            return mpf(0) if x == 0 else mpf("-inf")
        return x * mp.log(p) + (m - x) * mp.log(1 - p)
    s = (1 - icc) / icc
    a, b = p * s, (1 - p) * s
    if a == 0:
        return mpf(0) if x == 0 else mpf("-inf")
    return mp.loggamma(a + x) - mp.loggamma(a) + mp.loggamma(b + m - x) - mp.loggamma(b) + mp.loggamma(s) - mp.loggamma(s + m)


def evidence(blocks, q, icc):
    """Of [x, m, times]."""
    q = mpf(q)
    at = lambda p: sum(times * ln_block(x, m, p, icc) for x, m, times in blocks)
    base = at(q)
    return mp.exp(at(mpf(0)) - base) / 2 + sum(mp.exp(at(q / 2**k) - base) for k in range(1, 7)) / 12


def zero_trials(q, icc, size, alpha):
    low, high = 0, 1
    shows = lambda blocks: evidence([(0, size, blocks)], q, icc) >= 1 / mpf(alpha)
    while not shows(high):
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if shows(middle) else (middle, high)
    return high * size


def anytime(blocks, scale, icc, level):
    a, b = mpf(1) / 2, 1 / (2 * mpf(scale))
    hits = sum(x * times for x, _, times in blocks)
    trials = sum(m * times for _, m, times in blocks)
    if icc == 0:
        mixture = mp.log(mp.beta(a + hits, b + trials - hits)) - mp.log(mp.beta(a, b))
        ln = lambda p: hits * mp.log(p) + (trials - hits) * mp.log(1 - p)
        peak = mpf(hits) / trials
    else:
        ln = lambda p: sum(times * ln_block(x, m, p, icc) for x, m, times in blocks)
        # The fixed rates of the docs: log odds in steps of 1/32, from 20 below those of the scale to 37.
        start = min(mp.log(mpf(scale)) - mp.log(1 - mpf(scale)), 0) - 20
        nodes = [1 / (1 + mp.exp(-(start + mpf(i) / 32))) for i in range(int((37 - start) * 32) + 1)]
        weights = [p**a * (1 - p) ** b for p in nodes]
        whole = mp.fsum(weights)
        mixture = mp.log(mp.fsum(w / whole * mp.exp(ln(p)) for w, p in zip(weights, nodes)))
        l, r = mpf(10) ** -12, 1 - mpf(10) ** -12
        for _ in range(120):
            s, t = l + (r - l) / 3, r - (r - l) / 3
            l, r = (s, r) if ln(s) < ln(t) else (l, t)
        peak = (l + r) / 2
    limit = mixture + mp.log(1 - mpf(level))
    outside = lambda p: limit - ln(p) > 0

    def bound(inner, outer, middle):
        for _ in range(220):
            p = middle(inner, outer)
            inner, outer = (inner, p) if outside(p) else (p, outer)
        return outer

    low = mpf(0) if hits == 0 else bound(peak, mpf(10) ** -300, lambda i, o: mp.sqrt(i * o))
    high = mpf(1) if hits == trials else 1 - bound(1 - peak, mpf(10) ** -300, lambda i, o: mp.sqrt(i * o)) if hits * 2 > trials else None
    if high is None:
        high = bound(peak, mpf(1), lambda i, o: (i + o) / 2)
    elif hits != trials:
        # With 1 - p as the variable, so that its digits are kept.
        mirrored = lambda q: limit - ln(1 - q) > 0
        inner, outer = 1 - peak, mpf(10) ** -300
        for _ in range(220):
            q = mp.sqrt(inner * outer)
            inner, outer = (inner, q) if mirrored(q) else (q, outer)
        high = 1 - outer
    return low, high


# Tables, times ---------------------------------------------------------------------------------------------------------------------------------------

def freeman_halton(part, rest):
    """-2 ln(gamma P): Mehta and Patel 1983, section 2, of two rows."""
    columns = [mpf(a + b) for a, b in zip(part, rest)]
    c, n1, n2 = len(part), mpf(sum(part)), mpf(sum(rest))
    n = n1 + n2
    p = sum(ln_choose(a + b, a) for a, b in zip(part, rest)) - ln_choose(int(n), int(n1))
    gamma = (
        mpf(c - 1) / 2 * mp.log(2 * mp.pi) - mpf(2 * c - 1) / 2 * mp.log(n) + mpf(c - 1) / 2 * mp.log(n1 * n2)
        + sum(mp.log(column) for column in columns) / 2
    )
    return -2 * (gamma + p)


def hodges_lehmann(first, second, level):
    apart = sorted(b - a for a in first for b in second)
    m, n = len(first), len(second)
    # The distribution of U, in whole numbers: the largest of all values is of the first sample, or of the second.
    @functools.cache
    def ways(m, n, u):
        if u < 0 or (m == 0 or n == 0) and u > 0:
            return 0
        return 1 if m == 0 or n == 0 else ways(m - 1, n, u - n) + ways(m, n - 1, u)

    total = sum(ways(m, n, u) for u in range(m * n + 1))
    below = itertools.accumulate(ways(m, n, u) for u in range(m * n + 1))
    outside = sum(2 * mpf(k) / total <= 1 - mpf(level) for k in below)
    return float(np.median(apart)), apart[outside - 1], apart[-outside]


def censored(rng, n):
    times = [float(rng.randint(1, 12)) for _ in range(n)]
    return times, [rng.random() < 0.3 for _ in times]


# What is asked ---------------------------------------------------------------------------------------------------------------------------------------

def one_sample():
    for n in (1, 2, 10, 100, 2_000, 100_000, 10_000_000):
        for x in grid(n):
            for level in (0.95,) if n in (10, 100_000) else (0.95, 0.9985):
                out("clopper_pearson", (x, n, level), clopper_pearson(x, n, level))
    for n, x, p in [(10, 3, 0.5), (2_000, 0, 1e-3), (2_000, 6, 1e-3), (100_000, 2, 1e-4), (10_000_000, 1, 1e-8),
                    (10_000_000, 5_001_000, 0.5), (10_000_000, 9_999_999, 0.999_999_9), (1_000_000, 900_500, 0.9)]:
        out("ln_pmf", (x, n, p), [ln_pmf(x, n, p)])
        out("ln_at_least", (x, n, p), [mp.log(upper_tail(x, n, p)) if x > 0 else mpf(0)])
        out("ln_at_most", (x, n, p), [mp.log(lower_tail(x, n, p))])


def two_samples():
    sizes = [(10, 10), (50, 80), (2_000, 2_000), (2_000, 6_000), (100_000, 100_000), (10_000_000, 10_000_000), (10_000_000, 2_000)]
    for n1, n2 in sizes:
        pairs = [(0, 0), (0, 1), (0, 6), (1, 1), (2, 7), (n1 - 1, n2), (n1, n2 - 7), (n1 // 3, n2 // 3 + n2 // 50), (n1, n2)]
        for x1, x2 in pairs:
            if not (0 <= x1 <= n1 and 0 <= x2 <= n2):
                continue
            out("fisher", (x1, n1, x2, n2), [fisher(x1, n1, x2, n2)])
            if x2 in (0, 6, 7, n2 - 7, n2):
                out("difference", (x1, n1, x2, n2, 0.95), difference(x1, n1, x2, n2, 0.95))
    for n1, n2 in [(5, 5), (8, 12), (20, 20), (30, 13), (45, 45)]:
        for x1, x2 in [(0, 1), (0, 4), (1, n2 - 1), (2, 6), (n1, n2 - 3), (n1 // 2, n2 // 2 + 4)]:
            if x2 <= n2:
                out("boschloo", (x1, n1, x2, n2), [boschloo(x1, n1, x2, n2)])
    for x1, n1, x2, n2 in [(0, 20, 5, 20), (3, 40, 14, 45)]:
        low, high = (float(v) for v in clopper_pearson(x1 + x2, n1 + n2, mpf(1) - mpf("1e-3")))
        out("boschloo_near", (x1, n1, x2, n2, 1e-3), [boschloo(x1, n1, x2, n2, low, high) + 1e-3])


def looks():
    for q, blocks in [(1e-4, [(0, 1, 31_774)]), (1e-4, [(0, 1, 31_773)]), (1e-3, [(0, 1_000, 3), (1, 1_000, 1)]), (1e-6, [(0, 1_000, 4_000)]),
                      (1e-6, [(2, 10_000_000, 1)]), (0.05, [(3, 50, 4), (1, 50, 2)]), (0.5, [(10, 100, 1)])]:
        for icc in (0, 1e-3, 0.02, 0.3):
            out("evidence", (q, icc, [list(b) for b in blocks]), [evidence(blocks, q, icc)])
    for q, icc, size, alpha in [(1e-4, 0, 1, 0.05), (1e-5, 0, 1, 0.05), (1e-6, 0, 1, 0.05), (1e-4, 0, 1_000, 0.05), (1e-4, 1e-3, 1_000, 0.05),
                                (1e-4, 1e-3, 100, 0.05), (1e-6, 1e-3, 1_000, 0.05), (1e-3, 0.01, 250, 0.05), (1e-4, 0.1, 1_000, 0.05), (0.2, 0, 1, 0.01)]:
        out("zero_trials", (q, icc, size, alpha), [zero_trials(q, icc, size, alpha)])
    for scale in (1e-6, 1e-4, 0.01, 0.5):
        for n in (1, 100, 41_058, 10_000_000):
            for x in sorted({0, 1, min(2, n), n // 3, n - 1, n}):
                out("anytime_interval", (scale, 0, 0.95, [[x, n, 1]]), anytime([(x, n, 1)], scale, 0, 0.95))
    for scale, icc, blocks in [(1e-3, 1e-3, [(0, 1_000, 20)]), (1e-3, 1e-3, [(0, 1_000, 7), (2, 1_000, 1)]), (0.1, 0.02, [(300, 1_000, 2), (340, 1_000, 3)])]:
        out("anytime_interval", (scale, icc, 0.95, [list(b) for b in blocks]), anytime(blocks, scale, icc, 0.95))


def tables_and_times():
    rng = random.Random(1)
    for columns in (2, 3, 5, 8):
        for most in (3, 40, 3_000_000):
            part, rest = ([rng.randint(0, most) + 1 for _ in range(columns)] for _ in range(2))
            part[0] = 0
            out("freeman_halton", ([part, rest],), [freeman_halton(part, rest)])
            g = stats.chi2_contingency([part, rest], correction=False, lambda_="log-likelihood").statistic
            out("likelihood_ratio", ([part, rest],), [float(g)])
    for m, n, level in [(4, 4, 0.95), (5, 9, 0.9), (7, 7, 0.99), (10, 10, 0.95), (25, 30, 0.95)]:
        first, second = ([float(rng.randint(1, 10_000_000)) for _ in range(k)] for k in (m, n))
        out("hodges_lehmann", (level, [first, second]), hodges_lehmann(first, second, level))
    for n in (6, 15, 60):
        (t1, c1), (t2, c2) = censored(rng, n), censored(rng, n + 3)
        sides = [[stats.CensoredData(uncensored=[t for t, cut in zip(ts, cs) if not cut], right=[t for t, cut in zip(ts, cs) if cut])][0]
                 for ts, cs in ((t1, c1), (t2, c2))]
        flags = [[float(t) for t in ts] for ts in (t1, t2)] + [[int(cut) for cut in cs] for cs in (c1, c2)]
        out("log_rank", (flags,), [float(stats.logrank(*sides).statistic) ** 2])
        curve = stats.ecdf(sides[0]).sf
        interval = curve.confidence_interval(confidence_level=0.95, method="log-log")
        for time in (3.0, 6.0, 9.0):
            at = float(curve.evaluate(time))
            if 0 < at < 1:
                bounds = [float(side.evaluate(time)) for side in (interval.low, interval.high)]
                out("kaplan_meier", (time, [flags[0], flags[2]]), [at, *bounds])


print("# Made by make.py: mpmath with 50 digits, SciPy 1.17.1.")
print("function,parameters,wanted")
for group in (tables_and_times, looks, two_samples, one_sample):
    group()
    print("\n".join(ROWS), flush=True)
    ROWS.clear()
