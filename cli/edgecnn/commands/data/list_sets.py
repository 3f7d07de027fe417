"""`edgecnn data list`: the known sets, and whether they are here."""

import dataclasses

from edgecnn.console import Console, JsonOption, QuietOption


def list_sets(json: JsonOption = False, quiet: QuietOption = False) -> None:
    """List the known sets: origin, licence and whether they are here.

    It also lists the sets that you prepared.
    """
    from edgecnn_training.data.home import prepared_sets
    from edgecnn_training.data.known_sets import KNOWN_SETS

    console = Console(json=json, quiet=quiet)
    prepared = prepared_sets()
    at_hand = {known.name: known.find() for known in KNOWN_SETS.values()}
    console.table(
        ("name", "images", "classes", "input", "source", "prepared"),
        [
            (
                known.name,
                f"{sum(known.counts.values()):,}",
                str(len(known.labels)),
                f"{known.input.height}x{known.input.width} {known.input.colour}",
                "here" if at_hand[known.name] else "downloaded by edgecnn" if known.obtain else "to be downloaded",
                "yes" if known.name in prepared else "no",
            )
            for known in KNOWN_SETS.values()
        ],
    )
    for known in KNOWN_SETS.values():
        console.say("", f"{known.name}: {known.summary}")
        console.say(f"  from: {known.origin}")
        console.say(f"  licence: {known.licence}")
        console.say(f"  read from: {known.layout}")
        if known.places:
            console.say(f"  looked for in $EDGECNN_DATA as: {', '.join(known.places)}")
        if at_hand[known.name]:
            console.say(f"  found: {at_hand[known.name]}")
        if known.name in prepared:
            console.say(f"  prepared in: {prepared[known.name]}")
    others = {name: folder for name, folder in prepared.items() if name not in KNOWN_SETS}
    if others:
        console.say("", "Also prepared; name one with --data:")
    for name in others:
        console.say(f"  {name}")
    console.document(
        [
            {
                "name": known.name,
                "summary": known.summary,
                "labels": list(known.labels),
                "input": dataclasses.asdict(known.input),
                "counts": dict(known.counts),
                "licence": known.licence,
                "origin": known.origin,
                "layout": known.layout,
                "at_hand": str(at_hand[known.name]) if at_hand[known.name] else None,
                "prepared": str(prepared[known.name]) if known.name in prepared else None,
            }
            for known in KNOWN_SETS.values()
        ]
    )
