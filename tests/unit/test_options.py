"""The forms of the flows: what Prefect's page shows, and what it refuses."""

import pytest
from pydantic import ValidationError

from flows.options import (
    DiscoverOptions,
    HarvestOptions,
    MaintainOptions,
    PushOptions,
    ResyncOptions,
    ShardOptions,
    ValidateOptions,
    WatchOptions,
    WindowOptions,
)

FORMS = (DiscoverOptions, HarvestOptions, MaintainOptions, PushOptions, ResyncOptions, ValidateOptions, WatchOptions)


@pytest.mark.parametrize("form", [*FORMS, ShardOptions, WindowOptions])
def test_every_field_has_a_title_and_is_bounded(form):
    for name, field in form.model_json_schema()["properties"].items():
        assert field.get("title"), name
        if field.get("type") == "array":
            assert field["maxItems"] <= 1000, name
        if field.get("type") == "integer":
            assert {"minimum", "exclusiveMinimum"} & field.keys(), name


@pytest.mark.parametrize("form", FORMS)
def test_every_field_says_what_it_is_for_and_no_form_asks_for_a_secret(form):
    for name, field in form.model_json_schema()["properties"].items():
        assert field.get("description"), name
        assert not {"password", "secret", "key", "token"} & set(name.split("_"))


@pytest.mark.parametrize("form", FORMS)
def test_no_form_asks_for_what_programs_say_and_yet_it_is_checked(form):
    schema = form.model_json_schema()
    assert not {"trigger", "shard"} & schema["properties"].keys()
    assert schema["patternProperties"]["^trigger$"]["title"] == "Started by"
    assert schema["additionalProperties"] is False
    assert form(trigger="schedule").trigger == "schedule"
    assert form().trigger == "manual", "who fills a form in is a person"


@pytest.mark.parametrize("form", FORMS)
def test_an_empty_form_is_a_good_one_and_an_unknown_field_is_not(form):
    form()
    with pytest.raises(ValidationError, match="Extra inputs"):
        form(colour="blue")


@pytest.mark.parametrize(
    ("form", "wrong"),
    [
        (HarvestOptions, {"owners": ["ana"]}),
        (HarvestOptions, {"owners": ["ana@corp.example"] * 1001}),
        (HarvestOptions, {"pages": [""]}),
        (HarvestOptions, {"window": {"start": "2026-12-01T00:00:00Z"}}),
        (HarvestOptions, {"window": {"start": "2026-12-01T00:00:00", "end": "2026-12-02T00:00:00"}}),
        (HarvestOptions, {"shard": {"index": -1, "count": 2, "parent_run_id": 1}}),
        (HarvestOptions, {"shard": {"index": 0, "count": 1, "parent_run_id": 1}}),
        (PushOptions, {"trigger": "whim"}),
        (DiscoverOptions, {"accept_from": "ana@corp.example"}),
        (DiscoverOptions, {"owners": ["ana corp"]}),
    ],
)
def test_what_makes_no_sense_is_refused(form, wrong):
    with pytest.raises(ValidationError):
        form.model_validate(wrong)
