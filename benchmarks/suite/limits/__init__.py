"""Hand-written loops that do the least a cache needs, and decide nothing: the limit for all that decide.

None of them is a cache. They know no freshness, no Vary and no method; they read a record and hand out its body. What
is missing they fetch by the client's own shortest way, and store it in one step: no claim, no rules, no second look.
"""
