"""The numbers of the alerts on regressions, each with its reason. Those of other alerts stand in their boards."""

# Windows of comparison. The fast one shows a deployment that made things slower within ten minutes; the slow one has
# six times the observations and so sees smaller differences.
FAST, SLOW = "10m", "1h"
SECONDS = {FAST: 600.0, SLOW: 3600.0}

# How many days are looked back; as many as make every day of the week count once.
DAYS = 7
# Days without which nothing is known: the median of two days is their mean, and one bad day would be the rule.
LEAST_DAYS = 3

# What is slower by less than this share is nobody's business. Where latency climbs by the hour, the worst of the hour
# around is 5 % above this minute's: together 21 %, which a slow-down by 30 % reaches when it fills seven of the ten
# minutes. Two more pass until it is believed (LASTS).
SLOWER_MEAN = {FAST: 0.15, SLOW: 0.10}
# A quantile is interpolated inside a classic bucket, whose bounds are powers of two: when a tail that is close together
# crosses a bound, the 99th percentile seems to double. So it must clearly more than double; the mean tells the rest.
SLOWER_P99 = {FAST: 1.2, SLOW: 1.2}
# Days differ: what is within so many median deviations of the usual is usual. 5 are 3.4 standard deviations of a
# normal distribution.
DEVIATIONS = 5
# How long it must be so.
LASTS = {FAST: "2m", SLOW: "15m"}
# Observations in a window without which a p99 is the greatest value or next to it: with 300, three lie above.
LEAST_FOR_P99 = 300
