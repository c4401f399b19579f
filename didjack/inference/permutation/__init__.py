"""Tests that give cohorts to other clusters: randomisation and placebo tests."""
