"""Null distributions of jackknife statistics under a working model of cluster-level shocks."""
