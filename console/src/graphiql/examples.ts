/** What a newcomer finds in the tabs. */
const texts = [
  `query Overview {
  overview { orders byStatus { status count } byState { state count } stuck parked position lastEventAt }
}
`,
  `query LatestOrders {
  orders(first: 10) {
    edges { cursor node { id status state total currency placedAt customer { id name } } }
    pageInfo { hasNextPage endCursor }
  }
}
`,
  `query StuckOrders {
  orders(where: { state: STUCK }, orderBy: UPDATED_AT_ASC) {
    nodes { id status stuckReason updatedAt steps { id status attempts lastError } }
  }
}
`,
  `query OneOrder($id: ID!) {
  order(id: $id) {
    id status state stuckReason result
    steps { id status participant action outcome attempts lastError nextAttemptAt }
    timeline { nodes { revision recordedAt summary } }
  }
}
`,
  `subscription Changes {
  orders { id status state }
}
`,
];

export const examples = texts.map((query) => ({ query, ...(query.includes('$id') ? { variables: '{ "id": "" }' } : {}) }));
