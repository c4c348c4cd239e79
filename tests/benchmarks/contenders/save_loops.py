"""The same loop, as many times at once as requests may be under way."""

from tests.benchmarks.contender import IN_FLIGHT
from tests.benchmarks.contenders.save_loop import main

if __name__ == "__main__":
    main(IN_FLIGHT)
