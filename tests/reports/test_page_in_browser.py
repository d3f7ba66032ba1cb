"""What people see and do: the page is opened from disk in Chromium."""

import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from esrgan.evaluation import METRICS, BenchmarkResult, Comparison, Score
from esrgan.reports.page import open_page

pytest.importorskip("selenium", reason="selenium is not installed: pip install 'esrgan[dev]'")
from selenium import webdriver
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

FLAGS = (
    "headless",
    "no-sandbox",
    "disable-gpu",
    "disable-quic",
    "no-first-run",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
)
RED, GREEN, BLUE = (200, 0, 0), (0, 200, 0), (0, 0, 200)
HOSTILE = "<img src=x onerror='window.hacked=1'>.png"
SPACED = f"{HOSTILE}  two spaces"
DESK = {"width": 1000, "height": 700, "deviceScaleFactor": 1, "mobile": False}
PHONE = {"width": 360, "height": 700, "deviceScaleFactor": 1, "mobile": True}
FIT, PHONE_FIT = 12, 5  # 85 % of 700 pixels hold 12 times 48, and 360 without margins 5 times 64
AT = (3, 20, 30, 45, 55, 70, 80, 97)  # per cent of the width


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("chromium and chromedriver (Debian: chromium-driver) are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driven = webdriver.Chrome(options=options, service=Service(driver))
    driven.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", DESK)
    yield driven
    driven.quit()


def flat(colour):
    return np.full((48, 64, 3), colour, np.uint8)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Flat colours; the low-quality image has a black column of pixels and white ones."""
    lq = np.full((12, 16, 3), 255, np.uint8)
    lq[:, 3] = 0
    path = tmp_path_factory.mktemp("page") / "page.html"
    psnr = METRICS["PSNR-Y"]
    scores: list[Score] = []
    with open_page(path, title="Flat colours") as page:
        for key in ("first", HOSTILE, *(f"image {index}" for index in range(3))):
            red = SPACED if key == HOSTILE else "red"
            outputs = {red: flat(RED), "blue": flat(BLUE)}
            rows = (Score(key, red, {psnr: 20.0}), Score(key, "blue", {psnr: 30.0}))
            page.add("Set", Comparison(key, lq, flat(GREEN), outputs, rows))
            scores += rows
        large = np.zeros((200, 300, 3), np.uint8)
        page.add("Set", Comparison("large", large[::4, ::4], large, {"blue": large}, ()))
        page.finish([BenchmarkResult("Set", {"scale": "x4"}, tuple(scores))])
    return path


class Viewer:
    """One of the page's images, and what is to be seen of it."""

    def __init__(self, browser, number=0):
        self.browser = browser
        self.article = browser.find_elements(By.TAG_NAME, "article")[number]
        browser.execute_script("arguments[0].scrollIntoView()", self.article)
        self.slider = self.find("input[type=range]")
        WebDriverWait(browser, 5, poll_frequency=0.05).until(lambda _: self.is_drawn())

    def find(self, selector):
        return self.article.find_element(By.CSS_SELECTOR, selector)

    def is_drawn(self):
        script = "return [...arguments[0].querySelectorAll('img')].every(i => i.naturalWidth > 0)"
        return self.browser.execute_script(script, self.article)

    def choose(self, side, name):
        Select(self.find(f"select.{side}")).select_by_visible_text(name)
        WebDriverWait(self.browser, 5, poll_frequency=0.05).until(lambda _: self.is_drawn())

    def colours(self):
        """The colour of each place from 0 to 100 % of the width, far below names and handle."""
        shot = Image.open(io.BytesIO(self.find(".stage").screenshot_as_png)).convert("RGB")
        return {at: shot.getpixel((shot.width * at // 100, shot.height * 9 // 10)) for at in AT}


def split(at, left, right):
    return {place: left if place < at else right for place in AT}


@pytest.fixture
def viewer(browser, page):
    browser.get(page.as_uri())
    return Viewer(browser)


def test_both_images_are_shown_left_and_right_of_the_divider(viewer):
    assert viewer.colours() == split(50, RED, BLUE)
    assert viewer.find(".name.left").text == "red"
    assert viewer.find(".name.right").text == "blue"
    assert viewer.find(".scores .left").text == "red\nPSNR-Y 20.00"
    assert viewer.find(".scores .right").text == "blue\nPSNR-Y 30.00"


def test_the_divider_moves_by_keyboard_and_says_where_it_is(viewer):
    assert viewer.slider.accessible_name == "first: divider between red and blue"
    for key, at in (
        (Keys.END, 100),
        (Keys.PAGE_DOWN, 90),
        (Keys.ARROW_LEFT * 12, 78),
        (Keys.HOME, 0),
        (Keys.ARROW_RIGHT, 1),
    ):
        viewer.slider.send_keys(key)
        assert viewer.colours() == split(at, RED, BLUE)
        assert viewer.slider.get_attribute("aria-valuetext") == f"{at} % red"


def test_the_divider_follows_the_mouse_to_both_edges(viewer, browser):
    stage = viewer.find(".stage")
    for shift, at in ((-0.25, 25), (-0.497, 0), (0.25, 75), (0.497, 100)):
        drag = ActionChains(browser, duration=20).move_to_element(viewer.find(".divider"))
        place = int(stage.size["width"] * shift)
        drag.click_and_hold().move_to_element_with_offset(stage, place, 0).release().perform()
        assert viewer.colours() == split(at, RED, BLUE)


def test_drop_downs_choose_what_is_on_either_side(viewer):
    assert viewer.find("select.left").accessible_name == "Left of first"
    names = [option.text for option in Select(viewer.find("select.left")).options]
    assert names == ["LQ", "red", "blue", "GT"]
    viewer.choose("left", "GT")
    assert viewer.colours() == split(50, GREEN, BLUE)
    viewer.choose("right", "red")
    assert viewer.colours() == split(50, GREEN, RED)
    assert viewer.find(".scores .left").text == "GT"
    assert viewer.find("img.right").get_attribute("alt") == "first: red"


def test_the_low_quality_image_is_as_large_and_its_pixels_are_squares(viewer):
    viewer.choose("left", "LQ")
    viewer.slider.send_keys(Keys.END)
    shot = Image.open(io.BytesIO(viewer.find(".stage").screenshot_as_png)).convert("L")
    shown = np.asarray(shot)
    assert shown.shape == (48 * FIT, 64 * FIT)
    row = shown[-5]
    pixel = 4 * FIT
    assert (row[3 * pixel : 4 * pixel] == 0).all()
    assert (row[: 3 * pixel] == 255).all()
    assert (row[4 * pixel : -4] == 255).all()


def test_zooms_are_exact(viewer):
    for zoom, scale in (("100 %", 1), ("200 %", 2), ("400 %", 4), ("fit", FIT)):
        viewer.choose("zoom", zoom)
        assert viewer.find(".stage").size == {"width": 64 * scale, "height": 48 * scale}


def test_what_is_enlarged_beyond_its_frame_shows_its_middle_and_can_be_scrolled(viewer, browser):
    large = Viewer(browser, 5)
    large.choose("zoom", "400 %")
    frame = large.find(".frame")
    assert frame.size["height"] == pytest.approx(0.85 * DESK["height"], abs=1)
    assert browser.execute_script(
        "const f = arguments[0];"
        "return [f.scrollLeft + f.clientWidth / 2, f.scrollTop + f.clientHeight / 2]",
        frame,
    ) == pytest.approx([600, 400], abs=2)


def test_one_bar_changes_all_images(viewer, browser):
    bar = browser.find_element(By.ID, "all")
    Select(bar.find_element(By.CSS_SELECTOR, "select.right")).select_by_visible_text("GT")
    looked_at = Viewer(browser, 2).article
    before = looked_at.rect["y"] - browser.execute_script("return scrollY")
    Select(bar.find_element(By.CSS_SELECTOR, "select.zoom")).select_by_visible_text("100 %")
    after = looked_at.rect["y"] - browser.execute_script("return scrollY")
    assert after == pytest.approx(before, abs=1)
    for number in (0, 3):
        other = Viewer(browser, number)
        assert other.find(".stage").size["width"] == 64
        assert other.find(".name.right").text == "GT"


def test_images_are_loaded_only_near_the_window(viewer, browser):
    script = "return [...document.querySelectorAll('img.left')].map(image => image.src !== '')"
    first, *_, last = browser.execute_script(script)
    assert (first, last) == (True, False)
    assert Viewer(browser, 4).colours() == split(50, RED, BLUE)
    first, *_, last = browser.execute_script(script)
    assert (first, last) == (False, True)


def test_a_hostile_name_is_text(viewer, browser):
    hostile = Viewer(browser, 1)
    assert hostile.find("h3").text == f"{HOSTILE} Set"
    assert HOSTILE in hostile.slider.accessible_name
    assert hostile.find("select.left").get_attribute("value") == SPACED
    assert hostile.colours() == split(50, RED, BLUE)
    assert browser.execute_script("return window.hacked") is None


@pytest.fixture
def phone(browser, page):
    touch = "Emulation.setTouchEmulationEnabled"
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    browser.execute_cdp_cmd(touch, {"enabled": True})
    browser.get(page.as_uri())
    yield Viewer(browser)
    browser.execute_cdp_cmd(touch, {"enabled": False})
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", DESK)


def swipe(browser, start, *, right=0, down=0):
    moves = [{"x": start["x"] + right * n / 5, "y": start["y"] + down * n / 5} for n in range(6)]
    for number, place in enumerate(moves):
        event = {"type": "touchMove" if number else "touchStart", "touchPoints": [place]}
        browser.execute_cdp_cmd("Input.dispatchTouchEvent", event)
    browser.execute_cdp_cmd("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def test_a_finger_moves_the_divider_by_its_handle_and_scrolls_elsewhere(phone, browser):
    assert phone.find(".stage").size["width"] == PHONE_FIT * 64
    assert browser.execute_script("return document.documentElement.scrollWidth") == PHONE["width"]
    place = browser.execute_script(
        "const box = arguments[0].getBoundingClientRect(); return {x: box.x + 160, y: box.y + 60}",
        phone.find(".stage"),
    )
    swipe(browser, place, right=80)
    assert phone.colours() == split(75, RED, BLUE)
    on_handle = {**place, "x": place["x"] + 80}
    for start in (on_handle, place):
        browser.execute_script("arguments[0].scrollIntoView()", phone.article)
        before = browser.execute_script("return scrollY")
        swipe(browser, start, down=-50)
        is_scrolled = f"return scrollY > {before}"
        WebDriverWait(browser, 5).until(
            lambda _, script=is_scrolled: browser.execute_script(script)
        )
    assert phone.slider.get_attribute("aria-valuetext") == "75 % red"


def test_colours_follow_the_system(viewer, browser):
    def paper(scheme):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        return browser.find_element(By.TAG_NAME, "body").value_of_css_property("background-color")

    assert paper("light") == "rgba(255, 255, 255, 1)"
    assert paper("dark") == "rgba(21, 23, 27, 1)"


def test_the_page_asked_for_nothing_and_reported_no_error(viewer, browser, page):
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {
        message["params"]["request"]["url"].partition(",")[0]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
        and message["params"]["documentURL"] == page.as_uri()
    }
    assert asked == {page.as_uri(), "data:image/webp;base64"}
    assert browser.get_log("browser") == []
