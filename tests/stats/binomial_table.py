"""Prints the table of binomial_test.ts: needs mpmath (1.4.1 was used).

P(X >= k) and P(X = k) of a binomial X, summed term by term with 60 digits.
"""
from mpmath import exp, log, loggamma, mp, mpf, nstr

mp.dps = 60
B = 10**9
CASES = [
    (1, 1, .5), (5, 10, .5), (20, 30, .5), (60, 100, .5), (80, 1000, .05),
    (100, 1000, .05), (7, 7, .1), (30, 1000, .05), (1000, 10**6, .001),
    (1200, 10**6, .001), (300000, 10**6, .3), (301000, 10**6, .3),
    (10**6, 10**6, .999), (2, 10**6, 1e-9), (1, B, 1e-9), (5, B, 1e-9),
    (20, B, 1e-9), (100050000, B, .1), (100100000, B, .1), (B // 2, B, .5),
    (B // 2 + 100000, B, .5), (B - 3, B, .999999999),
]


def log_mass(k, n, p):
    p = mpf(p)
    c = loggamma(n + 1) - loggamma(k + 1) - loggamma(n - k + 1)
    return c + k * log(p) + (n - k) * log(1 - p)


def tail(k, n, p):
    term, total, p = exp(log_mass(k, n, p)), mpf(0), mpf(p)
    while k <= n:
        total += term
        if term < total * mpf(10)**-25:
            break
        term *= (n - k) * p / ((k + 1) * (1 - p))
        k += 1
    return total


for k, n, p in CASES:
    print(f"  [{k}, {n}, {p}, {nstr(log(tail(k, n, p)), 17)}, {nstr(log_mass(k, n, p), 17)}],")
