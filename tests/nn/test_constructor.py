"""A layer remembers its constructor and arguments (design rule 8)."""

import copy
import functools
import gc
import pickle
import subprocess
import sys
import threading
import weakref

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jdl import nn

KEY = jax.random.key(0)


@nn.constructor
def tower(widths, activation=jnp.tanh, *, last=1):
    return nn.chain(*[nn.chain(nn.dense(width), activation) for width in widths], nn.dense(last))


@nn.layer
def module_level(my, x):
    return x


def test_equal_calls_give_the_same_object():
    assert nn.dense(64) is nn.dense(64) is nn.dense(64, bias=True) is nn.dense(width=64)
    assert nn.dense(64) is not nn.dense(65)
    assert nn.chain(nn.dense(3), nn.relu) is nn.chain(nn.dense(3), nn.relu)
    assert nn.repeat(2, nn.dense(3)) is nn.repeat(2, nn.dense(3), unroll=1)
    assert tower([3, 4]) is tower([3, 4], jnp.tanh) is tower(widths=[3, 4], last=1)
    assert nn.init.normal(0.5) is nn.init.normal(0.5)
    assert nn.chain(a=nn.relu, b=nn.tanh) is not nn.chain(b=nn.tanh, a=nn.relu)


def test_arguments_are_compared_with_their_types():
    made = [nn.dropout(0), nn.dropout(0.0), nn.dropout(-0.0), nn.dropout(False), nn.dropout(np.float32(0))]
    assert len(set(map(id, made))) == 5
    assert tower([3]) is not tower((3,)) and tower([1]) is not tower([True])
    rate = float("nan")
    assert nn.init.constant(rate) is nn.init.constant(float("nan"))


def test_a_changed_list_does_not_change_the_layer():
    widths = [3, 4]
    net = tower(widths)
    widths.append(5)
    assert repr(net) == "tower([3, 4])" and tower([3, 4]) is net


def test_interning_is_weak():
    net = tower([3, 5])
    inside = weakref.ref(net.parts["chain"])
    outside = weakref.ref(net)
    del net
    gc.collect()
    assert outside() is None and inside() is None
    big = np.zeros(10)
    held = weakref.ref(big)
    nn.function(functools.partial(jnp.add, big))
    del big
    gc.collect()
    assert held() is None


def test_interning_is_thread_safe():
    made, start = [], threading.Barrier(8)

    def build():
        start.wait()
        made.append([tower([width, 7]) for width in range(1, 30)])

    threads = [threading.Thread(target=build) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert all(a is b for other in made[1:] for a, b in zip(made[0], other, strict=True))


def test_arrays_and_traced_values_skip_interning():
    rate = jnp.float32(0.5)
    assert nn.dropout(rate) is not nn.dropout(rate)
    seen = []
    jax.jit(lambda rate: seen.append(nn.chain(nn.dropout(rate))) or rate)(0.5)
    net = nn.chain(nn.dropout(0.5))
    assert seen[0] is not net and repr(net) == "chain(dropout(0.5))"
    assert hash(nn.init.constant(np.ones(3))) and nn.init.constant(np.ones(3)) is not nn.init.constant(
        np.ones(3)
    )


LIBRARY = [
    nn.dense(8, bias=False, init=nn.init.normal(0.5)),
    nn.embed(5, 3),
    nn.conv(4, 5, stride=2, padding="VALID"),
    nn.max_pool(2, stride=1),
    nn.batch_norm(momentum=0.5),
    nn.layer_norm(eps=1e-3),
    nn.attention(2, causal=True),
    nn.chain(nn.dense(3), nn.relu, jnp.tanh, nn.flatten, head=nn.dense(2)),
    nn.parallel(nn.dense(3), mean=nn.dense(1)),
    nn.repeat(3, nn.remat(nn.residual(nn.dense(4)), policy="dots"), unroll=2),
    nn.ensemble(nn.map(nn.dense(2)), 4),
    nn.cast(nn.without_key(nn.dropout(0.1)), jnp.float16),
    nn.lora(nn.freeze(nn.dense(4), "b"), 2, "w", alpha=4.0),
    nn.with_losses(nn.intermediates(nn.dense(2), "*/w")),
]


@pytest.mark.parametrize("net", LIBRARY, ids=repr)
def test_repr_pickle_and_copies_give_the_layer_back(net):
    names = {**vars(jnp), **vars(nn.init), **vars(nn)}
    assert eval(repr(net), dict(names)) is net
    assert pickle.loads(pickle.dumps(net)) is net
    assert copy.deepcopy(net) is copy.copy(net) is net
    assert copy.deepcopy({"net": [net]})["net"][0] is net


def test_repr_does_not_depend_on_how_the_call_was_first_spelled():
    assert repr(nn.dense(width=17, bias=True, init=None)) == "dense(17)"
    assert repr(nn.conv(4, 3, stride=2)) == "conv(4, stride=2)"
    assert repr(tower(widths=[2], activation=nn.relu)) == "tower([2], activation=relu)"
    assert repr(nn.chain(lambda x: x)) == "chain(<lambda>)" and repr(module_level) == "module_level"
    assert repr(nn.lora(nn.dense(2), rank=1)) == "lora(dense(2), 1)"


def test_a_layer_of_a_fresh_process_is_the_same_layer():
    net = nn.chain(nn.dense(3), jnp.tanh, jax.nn.gelu, nn.function(jax.nn.silu), nn.repeat(2, nn.dense(3)))
    code = (
        "import pickle, sys; from jdl import nn; import jax, jax.numpy as jnp\n"
        "net = pickle.loads(sys.stdin.buffer.read())\n"
        "last = nn.repeat(2, nn.dense(3))\n"
        "again = nn.chain(nn.dense(3), jnp.tanh, jax.nn.gelu, nn.function(jax.nn.silu), last)\n"
        "assert net is again, (net, again)\n"
        "print(net.init(jax.random.key(0), jnp.zeros(3))[0]['dense']['w'].tolist())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], input=pickle.dumps(net), capture_output=True, check=False
    )
    assert run.returncode == 0, run.stderr.decode()
    assert eval(run.stdout) == net.init(KEY, jnp.zeros(3))[0]["dense"]["w"].tolist()


def test_a_layer_of_a_module_pickles_by_name_and_a_local_one_says_what_to_do():
    assert pickle.loads(pickle.dumps(module_level)) is module_level

    @nn.layer
    def local(my, x):
        return x

    with pytest.raises(
        pickle.PicklingError, match=r"^local: .*decorate the function that makes it with nn\.constr"
    ):
        pickle.dumps(nn.chain(local))


def test_a_constructor_may_give_back_another_ones_value():
    @nn.constructor
    def small():
        return nn.dense(3)

    @nn.constructor
    def smaller():
        return small()

    assert [repr(made) for made in (nn.dense(3), small(), smaller())] == ["dense(3)", "small()", "smaller()"]
    assert small() is small() and len({nn.dense(3), small(), smaller()}) == 3
    assert list(nn.chain(small(), smaller()).parts) == ["small", "smaller"]
    x = jnp.ones(2)
    np.testing.assert_array_equal(small().init(KEY, x)[0]["w"], nn.dense(3).init(KEY, x)[0]["w"])


def test_a_constructor_of_something_else_is_an_error():
    @nn.constructor
    def activation():
        return jnp.tanh

    with pytest.raises(
        TypeError, match=r"^activation: a constructor gives a layer .*make .* with nn\.function"
    ):
        activation()


def test_a_wrong_call_is_an_error_of_the_call():
    with pytest.raises(TypeError, match="missing a required argument: 'width'"):
        nn.dense()
