"""Event files to events: every input row is accepted, a duplicate, or rejected with its reason; nothing vanishes.

The order of the pipeline: a chunk of a file becomes `readings` (`lines`, `tables`), the readings become judged rows
(`judgement`), and the rows of all files of a batch become the four tables (`batch`). What a line says is decided by its
text alone, so the split into files, chunks and lanes changes nothing.
"""
