"""Simulates the whole way of a photo: disks, clock, journal, engine, a person, and every mishap.

The product's own code runs, on one thread, on disks that are in memory; a seed decides all that
happens. In the manner of FoundationDB's and TigerBeetle's simulators.

    python -m tests.sim --seeds 10000 [--start N] [--jobs 2]
    python -m tests.sim --seed 4711
"""
