"""Where the sounds of the recipe come from: pinned packages, and a label for each of their files.

The first rule that matches a file counts; a file without a rule is not used. Files whose kind is
not clear from their name (crowds, farms, jingles, one note of an instrument) have no rule.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.training.packages import Package


@dataclass(frozen=True, slots=True)
class Rule:
    """Files of a package whose path matches -> a label for each task ('' where it has none).

    `group` is a regular expression whose first group is what must stay together; `family` joins
    packages that share groups; `limit` caps the files per group.
    """

    package: str
    path: str
    street: str
    six: str = ""
    group: str = r"([^/]+)\.\w+$"
    family: str = ""
    limit: int = 10_000


_STEM = r"([a-z]+_[a-z]+)[^/]*$"
_LOCALE = r"_desc_(\w+)\.ogg"
_FOLDER = r"([^/]+)/[^/]+/[^/]+$"
_ASTERISK = tuple(
    Rule(f"asterisk-core-sounds-{language}-wav", r"/(?!.*(beep|silence|tone))[^/]+\.wav$", "speech",
         "speech", family="asterisk", limit=1)
    for language in ("en", "es", "fr", "it", "ru")
)  # fmt: skip

RULES: tuple[Rule, ...] = (
    *_ASTERISK,
    Rule("klettres-data", r"/klettres/", "speech", "speech", _FOLDER, limit=24),
    Rule("ktuberling-data", r"/sounds/", "speech", "", r"/sounds/([^/]+)/", limit=24),
    Rule("tuxpaint-stamps-default", r"_desc_\w\w\.ogg$", "speech", "", _LOCALE, limit=60),
    Rule("tuxpaint-stamps-default", r"/animals/(?!.*cartoon)(?!.*_desc)", "animal", "animal"),
    Rule("sonic-pi-samples", r"/misc_crow", "animal"),
    Rule("sound-icons", r"/(canary|cockchafer)", "animal"),
    Rule("wesnoth-1.16-data", r"/sounds/(wolf|horse|bat|gryphon|tusker|ambient/(birds|morning))",
         "animal", "", r"/([a-z]+)[^/]*$"),
    Rule("wesnoth-1.16-data", r"/sounds/(sword|mace|axe|club|staff|flail|fist|spear|knife)",
         "impact", "", r"/([a-z]+)[^/]*$"),
    Rule("widelands-data", r"/(sound/animals/|sound/farm/(?!scythe)|duck_)", "animal", "",
         r"/([a-z]+\d?)[^/]*$"),
    Rule("widelands-data", r"/(hammering_|geologist_h|stonecutter|(tool)?smith_|\w*woodcutting_)",
         "impact", "", r"/([a-z]+)[^/]*$"),
    Rule("widelands-data", r"/(mill_turning|furnace|weav)", "background", "", r"/([a-z]+)[^/]*$"),
    Rule("hydrogen-drumkits", r"^(?!.*(emptySample|belofilms))", "impact", "drum",
         r"/([^/]+)/[^/]+$"),
    Rule("bucklespring-data", r"/wav/", "impact", "key", r"/([^/]+)-[01]\.wav$"),
    Rule("minetest-data", r"(footstep|_di?u?g_|_dug|place_node|gravel_d|ice_d)", "impact", "step",
         r"/([^/.]+)[^/]*$"),
    Rule("minetest-data", r"(break|door_|fencegate_|chest_)", "impact", "",
         r"/([^/.]+?)(_open|_close)?[^/_]*$"),
    Rule("sonic-pi-samples", r"/(bd_|drum_|sn_|tabla_|perc_(impact|snap|door)|glitch_perc)",
         "impact", "drum", _STEM),
    Rule("sonic-pi-samples", r"/elec_(\w*snare|\w*kick|\w*tom|wood|pop|tick|cymbal)", "impact",
         "drum"),
    Rule("sonic-pi-samples", r"/loop_(amen|breakbeat|industrial|perc|tabla)", "impact", "", _STEM),
    Rule("tuxpaint-stamps-default",
         r"/(cymbal_crash|drum_tomtom_floor|drumkit|hammer|mallet_metal)\.ogg", "impact"),
    Rule("asterisk-moh-opsound-wav", r"/moh/", "music", "music"),
    Rule("frozen-bubble-data", r"/(frozen-mainzik-..|introzik)\.ogg", "music", "music"),
    Rule("extremetuxracer-data", r"/music/", "music", "music", r"/([a-z]+?\d?)[^/]*$"),
    Rule("lincity-ng-data", r"/music/", "music", "music"),
    Rule("widelands-data", r"/music/(?!menu)", "music"),
    Rule("sonic-pi-samples", r"/(guit_|ambi_(piano|choir)|loop_(garzul|mika|compus|drone))",
         "music", "music", _STEM),
    Rule("tuxpaint-stamps-default", r"/(cello|violin|bassoon)\.ogg", "music", "music"),
    Rule("sound-theme-freedesktop", r"/(?!audio-|camera|screen|trash|service)[^/]+\.oga$", "alarm"),
    Rule("oxygen-sounds", r"/Oxygen-(Im|K3B|Sys)-(?!Log|Trash)", "alarm", "", r"Oxygen-(\w+-\w+)"),
    Rule("deepin-sound-theme", r"/(complete|device|dialog|message|power|suspend)[^/]*\.wav$",
         "alarm", "", r"/(\w+)[^/]*$"),
    Rule("yaru-theme-sound", r"/(?!desktop|system|trash|audio)[^/]+\.oga$", "alarm", "",
         r"/(\w+)[^/]*$"),
    Rule("sonic-pi-samples", r"/(perc_bell|elec_(bell|chime|beep|blip|ping|triangle))", "alarm", "",
         _STEM),
    Rule("sound-icons", r"/(pisk|xylofon|cymbaly|pipe)", "alarm", "", r"/([a-z]+)[^/]*$"),
    Rule("asterisk-core-sounds-en-wav", r"/(beep|beeperr|ascending-2tone|descending-2tone)\.wav",
         "alarm"),
    Rule("tuxpaint-stamps-default", r"/firetruck\.ogg", "alarm"),
    Rule("minetest-data", r"(env_sounds|fire_(fire|large|small)|furnace)", "background", "",
         r"/([^/.]+)[^/]*$"),
    Rule("extremetuxracer-data", r"_slide\.wav", "background"),
    Rule("lincity-ng-data", r"/(Trafic|Water|Power|Substation|WindMill|Industry)[^/]*\.wav",
         "background", "", r"/([A-Za-z]+)[^/]*$"),
    Rule("sonic-pi-samples", r"/(ambi_(dark|haunted|lunar|soft|sauna)|vinyl_hiss|loop_3d)",
         "background"),
    Rule("tuxpaint-stamps-default", r"/(vacuum_cleaner|Washing-machine)\.ogg", "background"),
)  # fmt: skip

STREET = ("background", "speech", "music", "impact", "animal", "alarm")
SIX = ("background", "speech", "drum", "key", "music", "animal", "step")

TEST_ONLY = tuple(
    f"sonic-pi-samples/{name}" for name in ("misc_crow", "perc_bell", "elec_chime", "guit_em")
)
"""Groups that are in the test split whatever their rank: the example clip needs CC0 test sounds."""

PACKAGES: tuple[Package, ...] = (
    Package("asterisk-core-sounds-en-wav", "1.6.1-1",
            "2be3ea287d83299d143815fa804f11179a75b7affd4a758b98b55f5afc18a35d",
            "CC-BY-SA-3.0"),
    Package("asterisk-core-sounds-es-wav", "1.6.1-1",
            "9283a09a6d56fccdcc2bcfe86c48f0f844289cfbd46a3184d8785a6f7f569903",
            "CC-BY-SA-3.0"),
    Package("asterisk-core-sounds-fr-wav", "1.6.1-1",
            "8d4e1bc32ed5ba7fbda40841ca1825ed20cc6232724a473c90f8bb0e53e6073e",
            "CC-BY-SA-3.0"),
    Package("asterisk-core-sounds-it-wav", "1.6.1-1",
            "5a26638089e134b8ac39363fe249c5c93c50cd8bfdc9b2499ae61ec4a35e2fcb",
            "CC-BY-SA-3.0"),
    Package("asterisk-core-sounds-ru-wav", "1.6.1-1",
            "ccbfaebfa450b7a9ddf644ae0f3d1e9017d5df7c0aebe816e946345589d38201",
            "CC-BY-SA-3.0"),
    Package("asterisk-moh-opsound-wav", "2.03-1.1",
            "8f9d808a729d305c2d3343993f21ca5e6829e411682618dc8ea7aa8bc24a566c",
            "CC-BY-SA-3.0"),
    Package("bucklespring-data", "1.4.0-2",
            "2add9f5583b3afc9c0b528066f4578baff930b74d4a94c8a25d103ef79a444e5",
            "GPL-2+"),
    Package("deepin-sound-theme", "15.10.6-1",
            "2995e5f94175ab5e7e36a26ae7fcabb3dbbaa089123d5244cbaeeb3376dd88fb",
            "GPL-3"),
    Package("extremetuxracer-data", "0.8.2-1",
            "8ce6c82e6fb89549d284f43f6c4b0a9d82e6c0e5da753bee0ef419276a21470c",
            "GPL-2+"),
    Package("frozen-bubble-data", "2.212-11",
            "39cdfd07d9532d1558762cf265a844d09015c4540568573c50f444cc084166e0",
            "GPL-2"),
    Package("hydrogen-drumkits", "2017.09.19~dfsg-1",
            "6ea3c6df9a67762e2362f946c695e619859126b19fbccf32a2e8f07dfd03b2f4",
            "per kit: CC0, CC-BY-3.0, CC-BY-SA-3.0, GPL-2, GPL-2+"),
    Package("klettres-data", "4:22.12.3-1",
            "1186d257a19e84230856baea0b0b1ded8be9195080fcdb2588970b5cd937f5a8",
            "GPL-2+"),
    Package("ktuberling-data", "4:22.12.3-1",
            "fba44c875bfa31ea488dadd9263e87a4dcaea0bd47d28817f6c0dc6d2af970ed",
            "GPL-2+"),
    Package("lincity-ng-data", "2.9~git20150314-5",
            "8f5e85bd42879abdc7099b035d7a3d7468eceb6b93b52a12270c28f3f3c792f9",
            "GPL-2+ or CC-BY-SA-2.0 (sounds)"),
    Package("minetest-data", "5.6.1+dfsg+~1.9.0mt8+dfsg-2",
            "91371dd2bd51cfcd4fa60c138667989a47047dfe1a47f7523b9ad1782d397585",
            "CC-BY-SA-3.0, CC-BY-3.0, CC0, MIT"),
    Package("oxygen-sounds", "4:5.27.5-2",
            "2230772aea70fb6508a38eeb8fb29f56357d9e00751477fe1954057c41541960",
            "LGPL-3+"),
    Package("sonic-pi-samples", "3.2.2~repack-8",
            "25f2312d2fae005e6ad0f4726b8ed3084e776006a5a132083506e960224ac79d",
            "CC0"),
    Package("sound-icons", "0.1-8",
            "cbb7defa9cab0c86c9151e72c6c8a99a0ed21d244bc4c7cffdde7a0e4d9fa5b3",
            "GPL-2+"),
    Package("sound-theme-freedesktop", "0.8-2",
            "135cc4893ba590d428577bc3bf42df756a165c05a2a43f84311ad7db779a70ea",
            "per file: CC-BY-3.0, CC-BY-SA-3.0, GPL-2, GPL-2+"),
    Package("tuxpaint-stamps-default", "2022.06.04-1",
            "6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34",
            "GPL-2"),
    Package("wesnoth-1.16-data", "1:1.16.9-1",
            "1012b964bd412a6770685e3324ae3b61e176caff7846192d1ee63d55cd621e26",
            "GPL-2+"),
    Package("widelands-data", "2:1.1-3",
            "0e23d645b15bcfb9e3bcae0de9bc1bdfa75a6ecb36b2e449759d6eb0b4bbd8fb",
            "GPL-2+; three pieces of music CC-BY-SA-3.0"),
    Package("yaru-theme-sound", "22.10.3-1",
            "d1562e4ac15f1b6c689f3624ee902fc11d4f376a553b054a44134035bee11682",
            "CC-BY-SA-4.0"),
)  # fmt: skip
