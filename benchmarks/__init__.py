"""What proves the speed and the reliability of pgreprise: ``make bench`` and ``make stress``."""
