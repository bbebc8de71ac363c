# SPDX-License-Identifier: Apache-2.0
"""The same sources give the same bytes, wherever, whenever and by whomever they are built."""

import filecmp
import os

import building
import images
from building import run


def different(first, second):
    """The paths of two folders that are not the same: there, kind, rights, times and contents."""
    def listed(folder):
        found = {}
        for where, folders, names in os.walk(folder):
            for name in folders + names:
                path = os.path.join(where, name)
                status = os.lstat(path)
                size = status.st_size if name in names else 0
                found[os.path.relpath(path, folder)] = (status.st_mode, status.st_uid, size, int(status.st_mtime))
        return found

    one, other = listed(first), listed(second)
    changed = {path for path in one.keys() | other.keys() if one.get(path) != other.get(path)}
    same = [path for path in one.keys() - changed if os.path.isfile(os.path.join(first, path))]
    return sorted(changed | set(filecmp.cmpfiles(first, second, same, shallow=False)[1]))


def unpacked(deb, folder):
    run("dpkg-deb", "--raw-extract", deb, folder)
    return folder


def test_the_package_is_the_same_from_another_folder_and_user(deb, workplace, tmp_path):
    old = os.umask(0o077)
    try:
        again = building.debian_package(workplace / "elsewhere" / "with another" / "name",
                                        TZ="Asia/Shanghai", LC_ALL="C", HOME=str(tmp_path), USER="somebody")
    finally:
        os.umask(old)
    if deb.read_bytes() != again.read_bytes():
        changed = different(unpacked(deb, tmp_path / "first"), unpacked(again, tmp_path / "again"))
        assert not changed
        raise AssertionError("the packages hold the same, but their archives differ")


def test_times_in_the_image_are_not_those_of_the_build(tmp_path):
    """Whatever the tool that builds it makes of them."""
    folder = tmp_path / "image"
    run(building.ROOT / "packaging/image/collect.sh", building.BINARY, folder,
        env={**os.environ, "SOURCE_DATE_EPOCH": str(images.EPOCH)})
    assert (folder / "usr/sbin/nsaddrd").is_file()
    times = {int(os.lstat(os.path.join(where, name)).st_mtime)
             for where, folders, names in os.walk(tmp_path) if where != str(tmp_path) for name in [".", *folders, *names]}
    assert times == {images.EPOCH}


def test_the_image_is_the_same_from_another_copy(storage, image, workplace):
    tree = building.copy_of_tree(workplace / "copy")
    for where, folders, names in os.walk(tree):
        for name in folders + names:
            os.utime(os.path.join(where, name), (1, 1))
    storage.build(tree, "nsaddrd-again")
    if storage.what_counts("nsaddrd-again") != storage.what_counts(image):
        with storage.files(image) as first, storage.files("nsaddrd-again") as second:
            assert not different(first, second)
        assert storage.what_counts("nsaddrd-again") == storage.what_counts(image)
