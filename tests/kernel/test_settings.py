"""Settings: typed, from several places, unknown names refused, secrets masked."""

from pathlib import Path

import pytest
from redis.asyncio.connection import parse_url

from aihub.kernel.config import CommaList, KernelSettings
from aihub.kernel.settings import MASK, Settings, SettingsError, SettingsGroup, load, setting, too_open


class Small(SettingsGroup):
    port: int = setting(
        8000, env="PORT", section="S", description="Port", ge=0, le=65535, aliases=("OLD_PORT",)
    )
    password: str | None = setting(
        None, env="AIHUB_PASSWORD", section="S", description="Secret", secret=True, aliases=("SECRET_WORD",)
    )
    names: CommaList = setting((), env="AIHUB_NAMES", section="S", description="Names")


def small(env: dict[str, str] | None = None, *files: Path) -> Settings:
    return load([Small], env or {}, files)


def row(settings: Settings, env: str) -> tuple[object, str | None, str]:
    found = next(r for r in settings.rows() if r.declared.env == env)
    return found.value, found.shown, found.source


def test_defaults_hold_and_say_so() -> None:
    settings = small()
    assert settings[Small].port == 8000
    assert row(settings, "PORT") == (8000, "8000", "default")
    assert row(settings, "AIHUB_PASSWORD") == (None, None, "default")


def test_values_are_typed_and_bounded_and_all_problems_come_at_once() -> None:
    assert small({"PORT": "9000"})[Small].port == 9000
    with pytest.raises(SettingsError) as caught:
        small({"PORT": "70000", "AIHUB_PASSWRD": "x", "AIHUB_PASSWORD_FILE": "/nonexistent"})
    for words in (
        "PORT: ",
        "AIHUB_PASSWRD is not a setting; did you mean AIHUB_PASSWORD?",
        "AIHUB_PASSWORD_FILE",
    ):
        assert words in str(caught.value)


def test_other_peoples_variables_are_none_of_ours() -> None:
    small({"PATH": "/bin", "PORTS": "x"})


def test_a_name_without_a_near_one_is_refused_without_a_guess() -> None:
    with pytest.raises(SettingsError, match=r"AIHUB_ZZZZZZZZ is not a setting$"):
        small({"AIHUB_ZZZZZZZZ": "1"})


def test_aliases_mean_the_same_and_the_proper_name_wins() -> None:
    assert row(small({"OLD_PORT": "1"}), "PORT") == (1, "1", "environment OLD_PORT")
    assert small({"OLD_PORT": "1", "PORT": "2"})[Small].port == 2


def test_an_empty_variable_is_an_unset_one() -> None:
    assert small({"PORT": ""})[Small].port == 8000


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("hunter2\n")
    for name in ("AIHUB_PASSWORD", "SECRET_WORD"):
        settings = small({f"{name}_FILE": str(file)})
        assert settings[Small].password == "hunter2"
        assert row(settings, "AIHUB_PASSWORD")[2] == f"file named by {name}_FILE"
    with pytest.raises(SettingsError):
        small({"AIHUB_NAMES_FILE": str(file)})


def test_secrets_are_masked_wherever_settings_are_shown() -> None:
    settings = small({"AIHUB_PASSWORD": "hunter2"})
    assert row(settings, "AIHUB_PASSWORD")[1] == MASK
    assert row(small({"AIHUB_NAMES": "a,b"}), "AIHUB_NAMES")[1] == "a,b"


def test_a_wrong_secret_is_not_repeated_in_the_error() -> None:
    with pytest.raises(SettingsError) as caught:
        load([KernelSettings], {"REDIS_MAX_CONNECTIONS": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_env_files_are_read_in_order_below_the_environment(tmp_path: Path) -> None:
    near, far = tmp_path / ".env.local", tmp_path / "env"
    near.write_text("PORT=1\n# a comment\n")
    far.write_text('PORT=2\nAIHUB_PASSWORD="from $HOME file"\n')
    settings = small({}, near, far)
    assert row(settings, "PORT") == (1, "1", f"env file {near} (PORT)")
    assert settings[Small].password == "from $HOME file"
    assert small({"PORT": "3"}, near, far)[Small].port == 3
    assert small({}, tmp_path / "absent")[Small].port == 8000
    far.write_text("AIHUB_PASWORD=x\n")
    with pytest.raises(SettingsError, match="did you mean AIHUB_PASSWORD"):
        small({}, far)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        small()[Small].port = 1


def test_the_kernels_own_are_read_as_people_write_them() -> None:
    kernel = load(
        [KernelSettings],
        {
            "AIHUB_MAX_BODY": "20 MB",
            "MAX_FILE_SIZE": "1",
            "LOG_LEVEL": "WARN",
            "NODE_ENV": "Production",
            "ALLOWED_ORIGINS": "https://a.example, https://b.example,",
            "REDIS_HOST": "redis",
            "REDIS_PASSWORD": "p",
            "REDIS_SSL": "true",
        },
    )[KernelSettings]
    assert kernel.max_body == 20 * 1024**2
    assert kernel.max_json == 1024**2
    assert kernel.log_level == "warning"
    assert kernel.is_production
    assert kernel.allowed_origins == ("https://a.example", "https://b.example")
    assert kernel.redis() == "rediss://:p@redis:6379/0"
    assert load([KernelSettings], {"REDIS_URL": "redis://x"})[KernelSettings].redis() == "redis://x"
    assert load([KernelSettings], {})[KernelSettings].redis() is None


@pytest.mark.parametrize(
    "wrong", [{"AIHUB_MAX_BODY": "many"}, {"AIHUB_MAX_BODY": "-1"}, {"LOG_LEVEL": "loud"}]
)
def test_wrong_values_of_the_kernel_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        load([KernelSettings], wrong)


def test_a_redis_password_with_odd_signs_reaches_redis() -> None:
    kernel = load([KernelSettings], {"REDIS_HOST": "redis", "REDIS_PASSWORD": "p@ss/w:rd#1"})[KernelSettings]
    parsed = parse_url(kernel.redis())
    assert (parsed["host"], parsed["password"]) == ("redis", "p@ss/w:rd#1")


def test_files_that_others_may_read_are_recognised(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.touch()
    for mode, is_open in ((0o600, False), (0o640, True), (0o604, True), (0o400, False)):
        file.chmod(mode)
        assert too_open(file) is is_open
