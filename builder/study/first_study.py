"""Variances of the first study, for planning others that have no pilot yet.

They are those of `docs/studies/palm-csqa`: CommonsenseQA, the embedded student, 500
rationales, 3 to 5 seeds on 800 questions, accuracy by forced choice. A variance between
seeds has 2 to 4 degrees of freedom there, so it is very rough. A test computes them
again from the cells.
"""

import numpy as np

from cotbuild.builder.study.components import VarianceComponents

# fmt: off
FIRST_STUDY = VarianceComponents(
    variants=(
        "label_only", "pre_cot", "post_cot", "post_cot_shuffled_words",
        "post_cot_tfidf_15", "post_cot_random_15",
    ),
    seed_VV=np.array([
        [3.3, -0.7, 1.4, 1.9, 1.2, 0.9],
        [-0.7, 0.2, -0.3, -0.4, -0.3, -0.2],
        [1.4, -0.3, 1.3, 0.8, 1.6, 0.9],
        [1.9, -0.4, 0.8, 1.1, 0.7, 0.5],
        [1.2, -0.3, 1.6, 0.7, 2.1, 1.1],
        [0.9, -0.2, 0.9, 0.5, 1.1, 0.6],
    ]),
    question_VV=np.array([
        [1253.0, 769.0, 977.0, 990.0, 932.0, 951.0],
        [769.0, 1273.0, 628.0, 666.0, 664.0, 658.0],
        [977.0, 628.0, 1127.0, 1112.0, 1155.0, 1170.0],
        [990.0, 666.0, 1112.0, 1186.0, 1159.0, 1212.0],
        [932.0, 664.0, 1155.0, 1159.0, 1211.0, 1226.0],
        [951.0, 658.0, 1170.0, 1212.0, 1226.0, 1269.0],
    ]),
    error_VV=np.array([
        [966.0, 34.0, 167.0, 146.0, 232.0, 201.0],
        [34.0, 863.0, 47.0, 33.0, 73.0, 88.0],
        [167.0, 47.0, 1156.0, 565.0, 665.0, 557.0],
        [146.0, 33.0, 565.0, 1080.0, 570.0, 587.0],
        [232.0, 73.0, 665.0, 570.0, 1081.0, 643.0],
        [201.0, 88.0, 557.0, 587.0, 643.0, 1025.0],
    ]),
)
"""In points²; a variant that it lacks is like those named like it."""
# fmt: on
