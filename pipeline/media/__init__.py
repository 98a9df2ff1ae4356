"""Reading and writing media: the only package that imports PyAV. Never imports torch.

Media time 0 is the earliest start that the first video and the first audio stream of a source
claim, so a clip starts at 0 and sound that starts later than its pictures keeps its offset.
"""
