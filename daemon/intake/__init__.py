"""Intake: candidates become samples, rejections or quarantine; decoding happens in a child process."""
