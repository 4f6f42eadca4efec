import numpy as np

from funnelkit.language import use_language
from funnelkit.planning.perceptual_map import mean_ratings, perceptual_map, space_profile
from funnelkit.synth.ratings import MEANS, rate_products
from tests.support.speech import spoken


def test_true_means_come_out_again():
    many = mean_ratings(rate_products(n_raters=4000))
    assert np.abs(many.to_numpy() - MEANS).max() < 0.15


def test_same_seed_same_ratings_in_either_language():
    english, chinese = rate_products(3), spoken("zh", lambda: rate_products(3))
    assert (english["rating"] == chinese["rating"]).all()
    assert english["rating"].between(1, 10).all()
    assert not (rate_products(4)["rating"] == english["rating"]).all()


def test_serves_map_and_profile_in_both_languages():
    for lang in ("en", "zh"):
        use_language(lang)
        ratings = rate_products()
        ours = ratings["product"].iloc[0]
        assert space_profile(ratings, ours).table["lead"].idxmax() == 3
        assert len(perceptual_map(ratings).table) == 4 + 5 + 1
