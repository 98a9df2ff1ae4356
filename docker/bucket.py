"""Makes the bucket of compose's profile `s3`, where it is not there yet."""

import sys

import s3fs

[name] = sys.argv[1:]
store = s3fs.S3FileSystem()
if not store.exists(name):
    store.mkdir(name)
