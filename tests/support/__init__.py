"""What the tests of several kinds of users share. Nothing here knows a test."""
