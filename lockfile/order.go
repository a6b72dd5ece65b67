package lockfile

import (
	"cmp"
	"container/heap"
	"slices"
)

// ranks gives the place of each installed node in the order of installation: dependency before dependant, then by name;
// the nodes of a cycle stand together, by name. It does not depend on the order of edges.
func (g *graph) ranks(installed []*node) []int {
	order := g.order()
	place := make([]int, len(g.nodes))
	for i, n := range order {
		place[n.index] = i
	}
	byPlace := slices.Clone(installed)
	slices.SortFunc(byPlace, func(a, b *node) int { return cmp.Compare(place[a.index], place[b.index]) })
	rank := make(map[*node]int, len(installed))
	for i, n := range byPlace {
		rank[n] = i
	}
	ranks := make([]int, len(installed))
	for i, n := range installed {
		ranks[i] = rank[n]
	}
	return ranks
}

// order sorts all nodes, the ones that are not installed too, since order passes through them.
func (g *graph) order() []*node {
	cycles := g.cycles()
	cycleOf := make([]*cycle, len(g.nodes))
	for _, c := range cycles {
		slices.SortFunc(c.nodes, compareNodes)
		for _, n := range c.nodes {
			cycleOf[n.index] = c
		}
	}
	var ready cycleHeap
	for _, c := range cycles {
		for _, n := range c.nodes {
			for _, e := range n.edges {
				if below := cycleOf[e.to.index]; below != c {
					below.above = append(below.above, c)
					c.waits++
				}
			}
		}
	}
	for _, c := range cycles {
		if c.waits == 0 {
			ready = append(ready, c)
		}
	}
	heap.Init(&ready)
	order := make([]*node, 0, len(g.nodes))
	for len(ready) > 0 {
		c := heap.Pop(&ready).(*cycle)
		order = append(order, c.nodes...)
		for _, above := range c.above {
			if above.waits--; above.waits == 0 {
				heap.Push(&ready, above)
			}
		}
	}
	return order
}

// cycle is a strongly connected component: mostly one node.
type cycle struct {
	nodes []*node
	// waits counts the edges to cycles that are not yet in order, above are the ends of the edges that lead here.
	waits int
	above []*cycle
}

// cycles finds the strongly connected components (Tarjan's algorithm, with its own stack: a lock may be deep).
func (g *graph) cycles() []*cycle {
	const unseen = 0
	var (
		cycles  []*cycle
		seen    = make([]int, len(g.nodes)) // order of discovery, from 1
		low     = make([]int, len(g.nodes))
		open    = make([]bool, len(g.nodes))
		pending []*node
		count   int
	)
	type frame struct {
		n    *node
		next int
	}
	enter := func(n *node) frame {
		count++
		seen[n.index], low[n.index], open[n.index] = count, count, true
		pending = append(pending, n)
		return frame{n: n}
	}
	for _, start := range g.nodes {
		if seen[start.index] != unseen {
			continue
		}
		stack := []frame{enter(start)}
		for len(stack) > 0 {
			f := &stack[len(stack)-1]
			i := f.n.index
			if f.next < len(f.n.edges) {
				child := f.n.edges[f.next].to
				f.next++
				if seen[child.index] == unseen {
					stack = append(stack, enter(child))
				} else if open[child.index] {
					low[i] = min(low[i], seen[child.index])
				}
				continue
			}
			n := f.n
			stack = stack[:len(stack)-1]
			if len(stack) > 0 {
				parent := stack[len(stack)-1].n.index
				low[parent] = min(low[parent], low[i])
			}
			if low[i] != seen[i] {
				continue
			}
			from := slices.Index(pending, n)
			c := &cycle{nodes: slices.Clone(pending[from:])}
			pending = pending[:from]
			for _, member := range c.nodes {
				open[member.index] = false
			}
			cycles = append(cycles, c)
		}
	}
	return cycles
}

// cycleHeap has the cycle with the smallest name first.
type cycleHeap []*cycle

func (h cycleHeap) Len() int           { return len(h) }
func (h cycleHeap) Less(i, j int) bool { return compareNodes(h[i].nodes[0], h[j].nodes[0]) < 0 }
func (h cycleHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *cycleHeap) Push(c any)        { *h = append(*h, c.(*cycle)) }
func (h *cycleHeap) Pop() any {
	last := len(*h) - 1
	c := (*h)[last]
	*h = (*h)[:last]
	return c
}
