/** What somebody may do. A guest may search and nothing is kept of them; an admin looks into the machine. */
export type Role = 'guest' | 'user' | 'admin';
