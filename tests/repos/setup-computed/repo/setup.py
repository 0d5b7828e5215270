import os

from setuptools import setup


def requirements():
    os.system("touch executed")
    with open("requirements.lst") as stream:
        return stream.read().split()


setup(name="computed", install_requires=requirements(), python_requires=">=3.9,<3.11")
