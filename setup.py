"""Packaging. Exact versions of all that is installed are in constraints.txt."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(
    r'__version__ = "(.+)"', (HERE / "xmc_keras/__init__.py").read_text("utf-8")
)[1]

# TensorFlow Text requires TensorFlow of its own minor version, so the two always match;
# its wheel 2.21.0 does not load (tensorflow/text#1541). TensorFlow for NVIDIA GPUs:
# pip install "tensorflow[and-cuda]" in addition to this package.
REQUIREMENTS = [
    "tensorflow>=2.20,<2.22",
    "tensorflow-text>=2.20.1,!=2.21.0,<2.22",
    "keras>=3.15,<4",
    "keras-nlp>=0.32,<1",
    "numpy>=2.2,<3",
    "scipy>=1.15,<2",
    "scikit-learn>=1.7,<2",
    "threadpoolctl>=3.5,<4",
    "matplotlib>=3.10,<4",
    "pyyaml>=6.0,<7",
    "safetensors>=0.8,<1",  # keras-nlp reads Hugging Face folders with it
    "sentencepiece>=0.2,<1",
    "huggingface-hub>=2.4,<3",  # keras-nlp downloads hf:// handles with it
]

PARQUET = ["pyarrow>=25,<27"]
SEARCH = ["optuna>=5,<6"]
SKOS = ["rdflib>=7.1,<8"]
SERVE = [
    "tensorflow-serving-api>=2.20,<2.22",
    "grpcio>=1.74,<2",
    "anyio>=4.16,<5",
    "starlette>=1.7,<2",
    "uvicorn>=0.54,<1",
    "prometheus-client>=0.26,<1",
]
DOCS = [
    "mkdocs>=1.6,<2",
    "mkdocs-material>=9.8,<10",
    "mkdocstrings>=1,<2",
    "mkdocstrings-python>=2,<3",
    "griffelib>=2.4,<3",
    "pymdown-extensions>=12,<14",
]

setup(
    name="xmc-keras",
    version=VERSION,
    description="Extreme multi-label text classification (XMC) in Keras 3",
    long_description=(HERE / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    # The recipes are a folder of their own in a clone, and package data in a wheel.
    packages=[*find_packages(include=["xmc_keras*"]), "xmc_keras.recipes"],
    package_dir={"xmc_keras.recipes": "configs"},
    package_data={
        "xmc_keras.recipes": ["*.yaml", "ablations/*.yaml"],
        "xmc_keras.evaluation.report": ["page.html"],
        "xmc_keras.serving.server.rest.page": ["browser/*"],
    },
    entry_points={"console_scripts": ["xmc = xmc_keras.cli.program:main"]},
    python_requires=">=3.11,<3.14",
    install_requires=REQUIREMENTS,
    extras_require={
        "serve": SERVE,  # xmc export, serve and ask --grpc
        "parquet": PARQUET,  # xmc prepare
        "search": SEARCH,  # xmc sweep --search
        "skos": SKOS,  # xmc prepare --label-texts vocabulary.ttl
        "ann": ["hnswlib>=0.8,<1"],  # approximate shortlists; built from source
        "docs": DOCS,  # mkdocs.yml
        "browser": ["selenium>=4.51,<5"],  # the test of the server's page
        "test": [
            *PARQUET,
            *SEARCH,
            *SKOS,
            "pytest>=9,<10",
            "pytest-xdist>=3.8,<4",
            "hypothesis>=6.168,<7",
            "pandas>=3,<4",  # what users have texts and labels in
            "datasets>=5.2,<6",
            "pydot>=4,<5",
            "ruff>=0.17,<1",
        ],
    },
    classifiers=[
        "Intended Audience :: Science/Research",
        "Programming Language :: Python :: 3",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
