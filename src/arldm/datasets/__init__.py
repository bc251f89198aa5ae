"""The published corpora: their files -> one archive on disk -> Stories. No torch; `pip install arldm[data]`.

corpus.py                                          what every corpus is made of: clips, and stories that name them
pororo.py flintstones.py vist.py folder.py h5.py   one file of reading rules each
photographs.py                                     VIST's photographs, fetched
unpickle.py arrays.py stills.py                    published arrays and pictures, read with care
journal.py                                         what is done already, line by line
shards.py importing.py report.py                   corpus -> archive, in parallel, resumable; what was found
archive.py                                         archive -> Stories
"""
