"""The check digit of numbers of products, packages and places (GS1 General Specifications, 7.9), EAN-13 among them."""


def is_checked(digits: str) -> bool:
    """Say whether the last digit is the check digit of those before it: weights 3 and 1 from the right."""
    values = [ord(digit) - 48 for digit in reversed(digits)]
    return (sum(values[0::2]) + 3 * sum(values[1::2])) % 10 == 0
