"""Runs the real `trytond` until standard input closes, so that it never outlives whoever started it.

Usage: serve.py TRYTOND_SCRIPT [ARGUMENT...]
"""
import os
import runpy
import sys
import threading


def watch():
    while sys.stdin.buffer.read(1):
        pass
    os._exit(0)


threading.Thread(target=watch, daemon=True).start()
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')
