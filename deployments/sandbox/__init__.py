"""A local Exchange server to try busytime against, and to test it with.

Independent of everything else here: it imports neither the product nor its EWS library, so that
an error in one cannot hide the same error in the other.
"""
