import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funnelkit.language.errors import DataError
from funnelkit.planning.perceptual_map import mean_ratings, perceptual_map, space_profile

RATINGS = pd.DataFrame(
    {
        "product": ["Ours", "A", "B", "C"],
        "effect": [8.0, 7, 5, 6],
        "safety": [7.0, 5, 8, 6],
        "price": [4.0, 6, 7, 8],
        "once": [9.0, 4, 6, 5],
    }
)
SPACE = ("safety", "performance", "appearance", "convenience", "economy")
WEIGHTS = {"effect": 3, "safety": 2, "price": 1, "once": 0.5}
SCORES = st.lists(st.lists(st.integers(1, 10), min_size=4, max_size=4), min_size=3, max_size=6)


def places(found, kind="product"):
    return found.table[found.table["kind"] == kind].set_index("name")[["x", "y"]].sort_index()


def make(scores):
    return pd.DataFrame(scores, columns=list("abcd")).assign(product=[f"p{row}" for row in range(len(scores))])


def test_distances_are_the_weighted_distances_of_the_ratings():
    """Independent oracle: all components together keep every distance; two keep the share that is said."""
    found = perceptual_map(RATINGS, WEIGHTS)
    values = RATINGS.drop(columns="product").to_numpy()
    weight = np.array([WEIGHTS[name] for name in RATINGS.columns[1:]])
    weight = weight / weight.mean()
    centred = (values - values.mean(axis=0)) * np.sqrt(weight)
    eigen = np.sort(np.linalg.eigvalsh(centred.T @ centred))[::-1]
    assert np.array(found.explained) == pytest.approx(eigen / eigen.sum(), abs=1e-12)
    shown = places(found).to_numpy()
    assert (shown**2).sum() == pytest.approx(sum(found.explained[:2]) * (centred**2).sum())


def test_three_products_are_placed_without_loss():
    """Three points always lie in a plane, so their map distances are the weighted distances themselves."""
    three = RATINGS.head(3)
    found = perceptual_map(three, WEIGHTS)
    weight = np.array(list(WEIGHTS.values())) / np.mean(list(WEIGHTS.values()))
    apart = (three.iloc[0, 1:] - three.iloc[1, 1:]).to_numpy(float)
    map_apart = places(found).loc["Ours"] - places(found).loc["A"]
    assert np.hypot(*map_apart) == pytest.approx(np.sqrt(weight @ apart**2))
    assert sum(found.explained[:2]) == pytest.approx(1)


def test_product_times_attribute_gives_the_rating_back():
    found = perceptual_map(RATINGS.head(3))
    values = RATINGS.head(3).set_index("product").astype(float)
    rebuilt = places(found) @ places(found, "attribute").T
    pd.testing.assert_frame_equal(rebuilt, (values - values.mean()).sort_index().sort_index(axis=1), check_names=False)


def test_further_along_the_needs_is_the_better_score():
    found = perceptual_map(RATINGS.head(3), WEIGHTS)
    along = places(found) @ places(found, "needs").loc["needs"]
    score = found.table.dropna(subset="score").set_index("name")["score"]
    assert np.corrcoef(along, score[along.index])[0, 1] == pytest.approx(1)
    values = RATINGS.set_index("product")
    assert score["Ours"] == pytest.approx(np.average(values.loc["Ours"], weights=list(WEIGHTS.values())))


@settings(max_examples=60)
@given(SCORES, st.randoms(use_true_random=False))
def test_orientation_does_not_depend_on_the_order_of_rows_and_columns(scores, random):
    ratings = make(scores)
    try:
        first = perceptual_map(ratings)
    except DataError:
        return
    gaps = np.diff(first.explained[:3])
    if np.any(np.abs(gaps) < 1e-6):
        return  # equal components have no order of their own
    columns = list("abcd")
    random.shuffle(columns)
    rows = list(range(len(ratings)))
    random.shuffle(rows)
    other = perceptual_map(ratings.iloc[rows][["product", *columns]])
    assert places(first).to_numpy() == pytest.approx(places(other).to_numpy(), abs=1e-6)


def test_orientation_is_stable_under_small_changes_and_scale_of_weights():
    first = perceptual_map(RATINGS, WEIGHTS)
    same = perceptual_map(RATINGS, {name: 7 * weight for name, weight in WEIGHTS.items()})
    assert places(first).to_numpy() == pytest.approx(places(same).to_numpy())
    for step in np.linspace(0, 0.3, 16):
        moved = perceptual_map(RATINGS.assign(effect=RATINGS["effect"] + [0, step, 0, -step]), WEIGHTS)
        assert np.abs(places(moved) - places(first)).max(axis=None) < 0.5


def test_a_need_without_weight_does_not_move_the_map():
    zero = {**WEIGHTS, "price": 0}
    moved = RATINGS.assign(price=[1, 9, 1, 9])
    assert places(perceptual_map(RATINGS, zero)).to_numpy() == pytest.approx(
        places(perceptual_map(moved, zero)).to_numpy()
    )


def test_single_answers_are_averaged_and_missing_ones_left_out():
    long = RATINGS.melt("product", var_name="attribute", value_name="rating")
    twice = pd.concat([long.assign(rating=long["rating"] - 1), long.assign(rating=long["rating"] + 1)])
    nobody = long.head(1).assign(rating=np.nan)
    mean = mean_ratings(pd.concat([twice, nobody]))
    pd.testing.assert_frame_equal(mean, mean_ratings(RATINGS), check_names=False)


def test_reading_in_both_languages():
    found = perceptual_map(RATINGS, WEIGHTS)
    assert found.reading().startswith("The map shows ")
    assert "By the weighted needs, Ours scores best: 7.15." in found.reading()
    assert "得分最高" in found.reading("zh")
    noise = make(np.random.default_rng(3).integers(1, 10, (6, 4)).tolist())
    spread = perceptual_map(noise)
    assert ("distances on the map mislead" in spread.reading()) == (sum(spread.explained[:2]) < 0.7)


@pytest.mark.parametrize(
    ("ratings", "weights", "said"),
    [
        (RATINGS.assign(price=[1, None, 2, 3]), None, "A has no rating on price. Ask for it"),
        (RATINGS.assign(price=["1", "cheap", 2, 3]), None, "the rating of A on price is 'cheap'. Write a number."),
        (pd.concat([RATINGS, RATINGS.head(1)]), None, "Ours appears in two rows."),
        (RATINGS[["product", "price"]], None, "there are 4 products and 1 attributes."),
        (RATINGS.assign(effect=1, safety=2, price=3, once=4), None, "so there is nothing to map"),
        (RATINGS, {"prize": 1}, "no attribute named 'prize'. Nearest: price"),
        (RATINGS, {"price": -1}, "the weight of price is -1. Write a number from 0."),
        (RATINGS, dict.fromkeys(WEIGHTS, 0), "all weights are 0."),
    ],
)
def test_bad_input_is_refused(ratings, weights, said):
    with pytest.raises(DataError) as caught:
        perceptual_map(ratings, weights)
    assert said in str(caught.value)


def test_space_profile_by_names_of_either_language():
    table = pd.DataFrame(
        {"安全性": [8, 6, 9], "疗效": [7, 5, 7], "口碑": [6, 6, 5], "方便性": [9, 4, 4], "经济": [3, 7, 8]},
        index=["我方", "甲", "乙"],
    )
    found = space_profile(table, "我方")
    assert found.table["lead"].tolist() == [-1, 0, 0, 5, -5]
    assert found.table["rival"].tolist() == ["乙", "乙", "甲", "甲", "乙"]
    assert found.table["rival_mean"].tolist() == [7.5, 6, 5.5, 4, 7.5]
    assert found.reading("zh") == (
        "与每项最强的竞品相比，我方在 5 项中领先 1 项。最强的是“方便性”，领先“甲”和“乙”5.00 分。"
        "最弱的是“经济”，落后“乙”5.00 分。"
    )


def test_space_profile_says_where_there_is_no_lead_and_no_gap():
    table = pd.DataFrame({name: [3, 5] for name in SPACE})
    assert "We are ahead nowhere" in space_profile(table, 0).reading()
    assert "We are behind nowhere" in space_profile(table, 1).reading()


def test_space_profile_refuses_what_is_missing():
    with pytest.raises(DataError, match="no ratings on Performance"):
        space_profile(RATINGS, "Ours")
    table = pd.DataFrame({name: [3, 5] for name in SPACE})
    with pytest.raises(DataError, match="no product named 'X'"):
        space_profile(table.set_axis(["P", "Q"]), "X")
